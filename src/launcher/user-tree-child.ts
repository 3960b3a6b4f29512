import { addToTree, beginTree, dropTree, keepTree } from "./written-tree.ts";
import { faultOf } from "./fault.ts";

/**
 * Started by user-tree.ts, with the rights of the person who asked: does one thing to a directory of theirs. What is to be
 * written comes on standard input, the part's name goes to standard output, a fault is the last line of standard error.
 */
async function answer(action = "", path = "", part = ""): Promise<void> {
  switch (action) {
    case "begin":
      process.stdout.write(beginTree(path));
      return;
    case "add":
      await addToTree(path, part, process.stdin);
      return;
    case "keep":
      keepTree(path, part);
      return;
    case "drop":
      dropTree(path, part);
      return;
    default:
      throw new Error(`nothing is called ${action}`);
  }
}

try {
  const [action, path, part, umask = "077"] = process.argv.slice(2);
  process.umask(Number.parseInt(umask, 8));
  await answer(action, path, part);
} catch (thrown) {
  process.stderr.write(`\n${JSON.stringify(faultOf(thrown))}\n`);
  process.exitCode = 1;
}
