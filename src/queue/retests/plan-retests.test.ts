import { onBothDatabases } from "../../../test/postgresql/on-both-databases.ts";
import { retestContract } from "./retest-contract.ts";

onBothDatabases("what is tested again", retestContract);
