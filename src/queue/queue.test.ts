import { onBothDatabases } from "../../test/postgresql/on-both-databases.ts";
import { hostRecordContract } from "./host-record-contract.ts";
import { queueContract } from "./queue-contract.ts";

onBothDatabases("the queue", queueContract);
onBothDatabases("the record of hosts", hostRecordContract);
