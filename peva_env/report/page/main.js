document.querySelectorAll(".scroll").forEach(hinted);
const configurations = new Configurations((index) => explorer.show(index));
const jump = (index) => configurations.jump(index);
const explorer = new MapExplorer(jump);
drawFrontier(jump);
drawDisputes(jump);
new Curves();
new Timeline();
