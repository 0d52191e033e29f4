// What scripts add to the console. Every page works without them; each part looks for its own markup and leaves the page
// alone where there is none.
"use strict";

/// A session's warning comes this long before its end.
const WARN_SECONDS = 120;
/// Drafts by the name of their form.
const DRAFT = "draft:";
/// Whose drafts they are, so that the next person at this browser gets none of them.
const DRAFT_OWNER = "draft-owner";
/// The name of the form that was sent last, if it keeps a draft.
const DRAFT_SENT = "draft-sent";

warnOfTheEnd();
keepDrafts();
countInPlace();
offerPrinting();
offerCopying();
closeMenus();
document.getElementById("errors")?.focus();

/// Says in time that the session ends, and lets it go on. Other tabs of the same session keep each other's time.
function warnOfTheEnd() {
  const warning = document.getElementById("session-warning");
  const seconds = Number(document.body.dataset.sessionSeconds);
  if (!warning || !seconds) {
    return;
  }
  const left = warning.querySelector("[data-session-left]");
  const wordings = left.dataset;
  const tabs = "BroadcastChannel" in window ? new BroadcastChannel("session") : null;
  let end;
  let said;

  const begin = (more) => {
    end = Date.now() + more * 1000;
    said = null;
    warning.hidden = true;
  };
  const tick = () => {
    const remaining = Math.ceil((end - Date.now()) / 1000);
    if (remaining > WARN_SECONDS) {
      warning.hidden = true;
      return;
    }
    const minutes = Math.ceil(remaining / 60);
    if (minutes === said) {
      return;
    }
    // Said anew each minute, not each second: a live region is read aloud.
    said = minutes;
    warning.hidden = false;
    left.textContent = remaining > 0 ? wordings.left.replace("#", String(minutes)) : wordings.over;
    warning.querySelector("[data-session-stay]").hidden = remaining <= 0;
    warning.querySelector("[data-session-again]").hidden = remaining > 0;
  };

  warning.querySelector("[data-session-stay]").addEventListener("click", async () => {
    const answer = await fetch(document.body.dataset.sessionRenew, { method: "POST" }).catch(() => null);
    const more = Number(answer?.headers.get("Session-Seconds"));
    if (answer?.ok && more) {
      begin(more);
      tabs?.postMessage(more);
      document.getElementById("content").focus();
    } else {
      end = Date.now();
      tick();
    }
  });
  tabs?.addEventListener("message", (message) => begin(message.data));
  begin(seconds);
  tabs?.postMessage(seconds);
  tick();
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);
}

/// Keeps what is typed into `<form data-draft="NAME">` until it was taken, over a session that ended. A page with
/// `data-draft-done` says that what was sent last was taken; `<form data-draft-further>` asks something more before that.
function keepDrafts() {
  const account = document.body.dataset.account;
  if (account && sessionStorage.getItem(DRAFT_OWNER) !== account) {
    dropDrafts();
    sessionStorage.setItem(DRAFT_OWNER, account);
  }
  if (document.querySelector("[data-draft-done]")) {
    sessionStorage.removeItem(DRAFT + sessionStorage.getItem(DRAFT_SENT));
  }
  document.addEventListener("submit", ({ target: form }) => {
    if (!form.hasAttribute("data-draft-further")) {
      sessionStorage.setItem(DRAFT_SENT, form.dataset.draft ?? "");
    }
  });
  for (const form of document.querySelectorAll("form[data-draft]")) {
    keepDraft(form);
  }
  document.querySelector("form[data-sign-out]")?.addEventListener("submit", dropDrafts);
}

function keepDraft(form) {
  const key = DRAFT + form.dataset.draft;
  const fields = [...form.elements].filter((field) => field.matches("textarea, input[type=text], input[type=email]"));
  const kept = JSON.parse(sessionStorage.getItem(key) ?? "{}");
  for (const field of fields) {
    // Where the server has written something else since, that is newer than what was typed.
    const [typed, before] = kept[field.name] ?? [];
    if (field.value === before) {
      field.value = typed;
    }
  }
  form.addEventListener("input", () => {
    const draft = fields.map((field) => [field.name, [field.value, field.defaultValue]]);
    sessionStorage.setItem(key, JSON.stringify(Object.fromEntries(draft)));
  });
}

function dropDrafts() {
  Object.keys(sessionStorage)
    .filter((key) => key.startsWith(DRAFT))
    .forEach((key) => sessionStorage.removeItem(key));
}

/// Answers `<button data-count="ID">` in place: the same request as without scripts, of whose page only #ID is taken.
function countInPlace() {
  for (const button of document.querySelectorAll("button[data-count]")) {
    button.addEventListener("click", async (event) => {
      event.preventDefault();
      const answer = document.getElementById(button.dataset.count);
      const body = new URLSearchParams(new FormData(button.form, button));
      try {
        const response = await fetch(button.formAction, { method: "POST", body });
        if (!response.ok) {
          throw new Error("what is wrong with the form stands on the page");
        }
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        answer.replaceChildren(...page.getElementById(answer.id).childNodes);
      } catch {
        // As without scripts: the whole page answers.
        button.form.requestSubmit(button);
      }
    });
  }
}

/// `<button data-print hidden>`
function offerPrinting() {
  for (const button of document.querySelectorAll("button[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => print());
  }
}

/// `<button data-copy="ID" hidden>`; what was done is said in `data-copied`.
function offerCopying() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
      button.textContent = button.dataset.copied ?? button.textContent;
    });
  }
}

/// Escape, and a press elsewhere, close the account's menu.
function closeMenus() {
  for (const menu of document.querySelectorAll("details.menu")) {
    menu.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && menu.open) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    });
    document.addEventListener("click", (event) => {
      if (!menu.contains(event.target)) {
        menu.open = false;
      }
    });
  }
}
