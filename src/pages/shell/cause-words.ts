/** Causes in plain words: of the model, since notices tell them too. */
export { causeWords, type CauseWords } from "../../model/cause-words.ts";
