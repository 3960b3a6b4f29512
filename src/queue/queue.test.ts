import { describe } from "vitest";

import { onBothDatabases } from "../../test/postgresql/on-both-databases.ts";
import { hostRecordContract } from "./host-record-contract.ts";
import { leasesContract } from "./queue-leases-contract.ts";
import { orderContract } from "./queue-order-contract.ts";
import { requestsContract } from "./queue-requests-contract.ts";
import { viewsContract } from "./queue-views-contract.ts";

onBothDatabases("the queue", (open) => {
  describe("of what is asked", () => {
    requestsContract(open);
  });
  describe("in its order", () => {
    orderContract(open);
  });
  describe("and its leases", () => {
    leasesContract(open);
  });
  describe("as it is told", () => {
    viewsContract(open);
  });
});
onBothDatabases("the record of hosts", hostRecordContract);
