/** What may be asked of a machine, as server/src/domain/stage.rs has it. The daemon decides; this says why a button is not for now. */
import type { MachineAction } from "../api/client";
import { machines } from "../words/machines";

export const ACTIONS: readonly MachineAction[] = ["accept", "provision", "hold", "release", "retire"];

export interface Subject {
  stage: string;
  held: boolean;
  profiled: boolean;
}

/** Why this is not done now; nothing if it can be. */
export function refusal(action: MachineAction, { stage, held, profiled }: Subject): string | undefined {
  const words = machines.refusal;
  switch (action) {
    case "accept":
      return stage === "discovered" || stage === "retired" ? undefined : words.accept(stage);
    case "provision":
      if (stage === "discovered" || stage === "retired") return words.provision(stage);
      return profiled ? undefined : words.noProfile;
    case "hold":
      return held ? words.hold : undefined;
    case "release":
      return held ? undefined : words.release;
    case "retire":
      return stage === "retired" ? words.retire : undefined;
  }
}

/** What could put out many machines at once: their number has to be typed. */
export const isDangerous = (action: MachineAction): boolean => action === "provision" || action === "retire";
