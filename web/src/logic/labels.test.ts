import { expect, test } from "vitest";
import { labelsOf, labelsText } from "./labels";

test("labels are read as they are written", () => {
  expect(labelsOf(" role=worker, rack=r1,")).toEqual({ role: "worker", rack: "r1" });
  expect(labelsOf(labelsText({ a: "b", c: "" }))).toEqual({ a: "b", c: "" });
  expect(labelsOf("")).toEqual({});
  expect(labelsOf("role")).toBeUndefined();
  expect(labelsOf("=x")).toBeUndefined();
});
