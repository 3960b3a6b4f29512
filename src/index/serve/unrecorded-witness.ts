import type { CreameryError } from "../../base/errors.ts";
import type { Witness } from "./witness.ts";
import { sendText } from "./exchange.ts";

/** Allows all and records nothing: for those who are no attempt. @param onFault is told of what no answer can tell any more. */
export function unrecordedWitness(onFault: (fault: CreameryError) => void): Witness {
  const nothing = (): void => undefined;
  return {
    nameAllowed: () => true,
    refuse: ({ response }, status, why) => sendText(response, status, why),
    missing: nothing,
    page: nothing,
    file: nothing,
    looked: nothing,
    crate: nothing,
    crateIndex: nothing,
    // Who got the metadata compares for itself.
    metadataDiffers: onFault,
    count: nothing,
    rendered: nothing,
  };
}
