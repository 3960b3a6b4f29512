import { onBothDatabases } from "../../test/postgresql/on-both-databases.ts";
import { admissionContract } from "./admission-contract.ts";

onBothDatabases("what is admitted", admissionContract);
