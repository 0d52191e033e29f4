// Debian's Chromium, and what it must never do while it shows the console.

import { chromium } from "playwright-core";

const CHROMIUM = process.env.PERSO_CHROMIUM ?? "/usr/bin/chromium";

/// As root it runs without its sandbox; it shows nothing but pages of ours, on loopback.
const OPTIONS = [
  ...(process.getuid() === 0 ? ["--no-sandbox"] : []),
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function start() {
  return chromium.launch({ executablePath: CHROMIUM, args: OPTIONS });
}

/// Notes in `problems` whatever a page of the site must not do, with the address where it happened.
export function guard(context, site, problems) {
  const note = (page, text) => problems.push({ where: page?.url() ?? "", text });
  context.on("request", (request) => {
    if (!site.origins.includes(new URL(request.url()).origin)) {
      note(request.frame().page(), `asks another origin for ${request.url()}`);
    }
  });
  context.on("response", (response) => {
    const isPage = response.request().isNavigationRequest();
    // A form that comes back with errors is no fault, whoever asked.
    const isRefusal = response.status() === 422;
    const isAway = response.status() === 503 && new URL(response.url()).origin === new URL(site.away).origin;
    if (response.status() >= (isPage ? 500 : 400) && !isRefusal && !isAway) {
      note(response.frame().page(), `${response.status()} for ${response.url()}`);
    }
  });
  context.on("console", (message) => {
    // A form that comes back with errors is answered with 422: Chromium logs that, and it is no fault.
    const isStatus = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !isStatus) {
      note(message.page(), `console: ${message.text()}`);
    }
  });
  context.on("weberror", (error) => note(error.page(), `script: ${error.error().message}`));
  context.on("dialog", (dialog) => {
    note(dialog.page(), `opens a dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
}
