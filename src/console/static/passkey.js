// Passkeys. A form with data-passkey="get" or "create" stays hidden without this script; sent, it first asks the browser
// with the options that data-options gives, and carries the answer in its field "reponse".
"use strict";
(() => {
  if (!window.PublicKeyCredential) return;

  const encode = (buffer) => {
    let text = "";
    for (const byte of new Uint8Array(buffer)) text += String.fromCharCode(byte);
    return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  };

  const decode = (text) => {
    const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(bytes, (character) => character.charCodeAt(0));
  };

  const readOptions = (key) => {
    key.challenge = decode(key.challenge);
    if (key.user) key.user.id = decode(key.user.id);
    for (const credential of [...(key.excludeCredentials ?? []), ...(key.allowCredentials ?? [])]) {
      credential.id = decode(credential.id);
    }
    const first = key.extensions?.prf?.eval?.first;
    if (first) key.extensions.prf.eval.first = decode(first);
    return key;
  };

  // What the PRF extension answered. Some authenticators tell at registration only that they have it: they are asked once more.
  const prfOf = async (credential, key) => {
    const prf = credential.getClientExtensionResults().prf;
    if (prf?.results?.first) return encode(prf.results.first);
    if (!prf?.enabled) return undefined;
    const again = await navigator.credentials.get({
      publicKey: {
        challenge: crypto.getRandomValues(new Uint8Array(32)),
        rpId: key.rp.id,
        allowCredentials: [{ type: "public-key", id: credential.rawId }],
        userVerification: "required",
        extensions: { prf: { eval: key.extensions.prf.eval } },
      },
    });
    const first = again.getClientExtensionResults().prf?.results?.first;
    return first ? encode(first) : undefined;
  };

  const ask = async (form) => {
    const answer = await fetch(form.dataset.options, { method: "POST" });
    if (!answer.ok || answer.redirected) throw new Error("no options");
    const key = readOptions((await answer.json()).publicKey);
    const credential = await navigator.credentials[form.dataset.passkey]({ publicKey: key });
    const response = { clientDataJSON: encode(credential.response.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = encode(credential.response[name]);
    }
    const prf = await prfOf(credential, key);
    return { id: credential.id, rawId: encode(credential.rawId), type: credential.type, response, prf };
  };

  for (const absent of document.querySelectorAll("[data-passkey-absent]")) absent.hidden = true;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const failed = form.querySelector("[data-passkey-failed]");
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      failed.hidden = true;
      try {
        form.elements.reponse.value = JSON.stringify(await ask(form));
        form.submit();
      } catch {
        failed.hidden = false;
      }
    });
  }
})();
