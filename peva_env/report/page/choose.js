// Show the node that the address names, as in report.html?node=NAME, in place of all nodes.
{
  const name = new URLSearchParams(location.search).get("node");
  const chosen = [...document.querySelectorAll("template.node")].find((one) => one.dataset.name === name);
  const run = (id) => document.body.append(document.getElementById(id).content.cloneNode(true));
  if (chosen) {
    document.title = chosen.dataset.title;
    document.getElementById("all-nodes").replaceWith(chosen.content.cloneNode(true));
    run("node-scripts");
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  } else {
    const note = document.getElementById("missing");
    note.hidden = name === null;
    note.textContent = `This report has no node ${name}.`;
    run("fleet-scripts");
  }
}
