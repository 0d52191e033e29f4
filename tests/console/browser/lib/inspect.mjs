// What must hold of every page: axe finds nothing, nothing sticks out at 320 px, and the keyboard reaches everything.

import axe from "axe-core";

const RULES = axe.getRules().map((rule) => rule.ruleId);

export const SETTINGS = ["light", "dark"].flatMap((scheme) => [1280, 320].map((width) => ({ scheme, width })));

/// More stops than any page may have for the keyboard.
const MAX_STOPS = 600;

export async function apply(page, { scheme, width }) {
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
  await page.setViewportSize({ width, height: 800 });
}

/// What axe finds with every rule it has, best practices, experimental rules and AAA among them.
export async function accessibility(page) {
  if (!(await page.evaluate(() => "axe" in window))) {
    await page.evaluate(axe.source);
  }
  const violations = await page.evaluate(async (rules) => {
    const options = { runOnly: { type: "rule", values: rules }, resultTypes: ["violations"], iframes: false };
    return (await window.axe.run(options)).violations;
  }, RULES);
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => {
      const why = [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ");
      return `axe ${id}: ${help}: ${node.target.join(" ")} (${why})`;
    }),
  );
}

/// Whether somebody has to scroll sideways, and because of what.
export async function overflow(page) {
  const wide = await page.evaluate(() => {
    const edge = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= edge) {
      return null;
    }
    const beyond = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > edge + 0.5);
    return beyond.map((e) => e.outerHTML.slice(0, 80)).slice(-1)[0] ?? "something";
  });
  return wide === null ? [] : [`sticks out of the window: ${wide}`];
}

/// Goes through the page with Tab, from its top until focus leaves it: each stop is seen and marked, none is missed, and
/// none keeps whoever came there.
export async function keyboard(page) {
  const problems = [];
  const expected = await page.evaluate(prepareWalk);
  for (let stops = 0; ; stops += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(describeFocus);
    // After the last stop focus leaves the page, or comes to the first again where Chromium has nothing else.
    if (stop === null || (stop.again && stop.skips)) {
      break;
    }
    if (stop.again) {
      problems.push(`the keyboard comes to ${stop.name} twice`);
      break;
    }
    if (stops === 0 && !stop.skips) {
      problems.push(`the first stop is ${stop.name}, and not the link that skips to the content`);
    }
    if (!stop.marked) {
      problems.push(`focus cannot be seen on ${stop.name}`);
    }
    if (!stop.inView) {
      problems.push(`${stop.name} is out of view, or covered, when it has focus`);
    }
    if (stops === MAX_STOPS) {
      problems.push(`more than ${MAX_STOPS} stops`);
      break;
    }
  }
  const missed = await page.evaluate(() => window.walk.expected.filter((e) => !window.walk.seen.has(e)).map(window.walk.name));
  problems.push(...missed.map((name) => `the keyboard never comes to ${name}`));
  return expected === 0 ? ["nothing that the keyboard could come to"] : problems;
}

/// In the page: what the keyboard has to come to, and a start above it all.
function prepareWalk() {
  const candidates = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const isLeadRadio = (e) => {
    if (e.type !== "radio") {
      return true;
    }
    const group = [...document.querySelectorAll("input[type=radio]")].filter((r) => r.name === e.name && r.form === e.form);
    return e === (group.find((r) => r.checked) ?? group[0]);
  };
  const isThere = (e) => !e.disabled && e.checkVisibility({ visibilityProperty: true });
  window.walk = {
    expected: [...document.querySelectorAll(candidates)].filter((e) => isThere(e) && isLeadRadio(e)),
    seen: new Set(),
    name: (e) => `<${e.localName}> "${(e.innerText || e.name || e.id).trim().replace(/\s+/g, " ").slice(0, 60)}"`,
  };
  document.activeElement?.blur();
  getSelection().removeAllRanges();
  scrollTo(0, 0);
  return window.walk.expected.length;
}

/// In the page: where focus is, or null once it has left.
function describeFocus() {
  const e = document.activeElement;
  if (!e || e === document.body || !document.hasFocus()) {
    return null;
  }
  const { seen, name } = window.walk;
  const style = getComputedStyle(e);
  const box = e.getBoundingClientRect();
  const x = Math.min(Math.max(box.left + Math.min(box.width / 2, 20), 0), innerWidth - 1);
  const y = Math.min(Math.max(box.top + box.height / 2, 0), innerHeight - 1);
  const top = document.elementFromPoint(x, y);
  const again = seen.has(e);
  seen.add(e);
  return {
    again,
    name: name(e),
    skips: e.matches("a[href^='#']"),
    marked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    inView: top !== null && (e.contains(top) || top.contains(e)),
  };
}
