import { onBothDatabases } from "../../../test/postgresql/on-both-databases.ts";
import { verdictContract } from "./verdict-contract.ts";

onBothDatabases("where projects stand", verdictContract);
