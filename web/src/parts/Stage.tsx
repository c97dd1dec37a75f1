import { common } from "../words/common";

/** A shape for each stage: they are told apart without colours too. */
const SHAPES: Record<string, React.ReactNode> = {
  discovered: <circle cx="8" cy="8" r="5.5" strokeDasharray="3 2.76" />,
  ready: <circle cx="8" cy="8" r="5.5" />,
  provisioning: (
    <>
      <circle cx="8" cy="8" r="5.5" />
      <path d="M8 2.5a5.5 5.5 0 0 1 0 11z" className="filled" />
    </>
  ),
  active: <circle cx="8" cy="8" r="6" className="filled" />,
  failed: <path d="M3 3l10 10M13 3L3 13" strokeWidth="3" />,
  retired: <path d="M3 8h10" strokeWidth="3" />,
};

export function StageMark({ stage }: { stage: string }) {
  return (
    <span className={`mark stage-${stage}`}>
      <svg viewBox="0 0 16 16" width="13" height="13" aria-hidden="true">
        {SHAPES[stage] ?? <rect x="3" y="3" width="10" height="10" />}
      </svg>
      {common.stages[stage] ?? stage}
    </span>
  );
}
