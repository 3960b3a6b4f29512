import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { Answer, type Asked } from "./http-client.ts";

export interface Load {
  readonly seconds: number;
  readonly bytes: number;
  readonly latencies: readonly number[];
}

/** The client, which ends with this process. */
export class HttpLoad implements Disposable {
  readonly #child: ChildProcess = fork(fileURLToPath(new URL("./http-client.ts", import.meta.url)));

  /** @throws Error for any answer that is not whole. */
  async ask(asked: Asked): Promise<Load> {
    this.#child.send(asked);
    const answer = Answer.parse((await once(this.#child, "message"))[0]);
    if ("fault" in answer) throw new Error(answer.fault);
    return answer;
  }

  [Symbol.dispose](): void {
    this.#child.disconnect();
  }
}
