import { onBothDatabases } from "../../../test/postgresql/on-both-databases.ts";
import { dependencyContract } from "./dependency-contract.ts";

onBothDatabases("the graph of dependencies", dependencyContract);
