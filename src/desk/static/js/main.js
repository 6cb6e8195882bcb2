// The scripts of the desk. Every page works without them: they add keys, the palette, live changes and ages.
import { startKeys } from "./keys.js";
import { startPalette } from "./palette.js";
import { startDrafts } from "./drafts.js";
import { startLive } from "./live.js";
import { startPresence } from "./presence.js";
import { startCanned } from "./canned.js";
import { startTimes } from "./time.js";
import { startSending } from "./sending.js";
import { startViews } from "./views.js";

startDrafts();
startKeys();
startPalette();
startCanned();
startTimes();
startViews();
startLive();
startPresence();
startSending();
document.getElementById("refusal")?.focus();
document.documentElement.dataset.ready = "";
