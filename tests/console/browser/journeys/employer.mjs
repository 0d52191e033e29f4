// What an organisation changes, as its users meet it: it is announced; and from elsewhere than its networks only what the law
// gives them is open. They were there before (tests/console/browser/prepared.rs).

export async function run(person) {
  const domain = `${person.language}${person.scripts ? "" : ".plain"}.employer.example`;
  person.domain = domain;
  await person.signIn();

  await person.site.command("org", "set", domain, "tag=[PRIVATE]", "folder=Private");
  await person.visit("/");
  await person.reads("announcement-tag", { value: "[PRIVATE]" });
  await person.reads("announcement-folder", { value: "Private" });
  await person.look("announced");

  await person.site.command("org", "set", domain, "console_networks=192.0.2.0/24");
  await person.page.goto("/");
  await person.reads("failure-network-title");
  await person.look("network");
}
