import { onBothDatabases } from "../../../test/postgresql/on-both-databases.ts";
import { changeQueriesContract } from "./change-queries-contract.ts";

onBothDatabases("changes of verdict", changeQueriesContract);
