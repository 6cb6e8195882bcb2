// The scripts of the desk. Every page works without them: they add keys, the palette, live changes and ages.
import { startKeys } from "./keys.js";
import { startPalette } from "./palette.js";
import { startDrafts } from "./drafts.js";
import { startLive } from "./live.js";
import { startPresence } from "./presence.js";
import { startTimes } from "./time.js";

startDrafts();
startKeys();
startPalette();
startTimes();
startLive();
startPresence();
document.getElementById("refusal")?.focus();
document.documentElement.dataset.ready = "";
