// Takes the code of the set-up out of the fragment of the link. Without scripts, it is pasted into the field.
const code = location.hash.slice(1);
const field = document.querySelector("input[name=token]");
if (field && code) {
  field.value = code;
  document.getElementById("token-field").hidden = true;
  // Neither the history nor a bookmark keeps it.
  history.replaceState(null, "", location.pathname + location.search);
}
