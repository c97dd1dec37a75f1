import { autocompletion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentLess, indentMore } from "@codemirror/commands";
import { yaml, yamlLanguage } from "@codemirror/lang-yaml";
import {
  bracketMatching,
  defaultHighlightStyle,
  HighlightStyle,
  indentUnit,
  LanguageSupport,
  syntaxHighlighting,
} from "@codemirror/language";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import {
  Decoration,
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
  MatchDecorator,
  ViewPlugin,
  type ViewUpdate,
} from "@codemirror/view";
import { parseMixed } from "@lezer/common";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import type { Placed } from "../../logic/documents";
import { VARIABLES } from "../../logic/keys";

/** What templates hold in Butane texts stands out from what is there as it is. */
const template = new MatchDecorator({
  regexp: /\{\{.*?\}\}|\{%.*?%\}/g,
  decoration: Decoration.mark({ class: "cm-template" }),
});
const templates = ViewPlugin.define(
  (view) => ({
    marks: template.createDeco(view),
    update(update: ViewUpdate) {
      this.marks = template.updateDeco(update, this.marks);
    },
  }),
  { decorations: (plugin) => plugin.marks },
);

/** A text in YAML that is YAML itself, as Butane is, has its colours too. */
const nested = yamlLanguage.configure({
  wrap: parseMixed((node) => (node.name === "BlockLiteralContent" ? { parser: yamlLanguage.parser } : null)),
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--busy)" },
  { tag: tags.comment, color: "var(--dim)" },
  { tag: [tags.string, tags.content], color: "inherit" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--new)" },
  { tag: tags.meta, color: "var(--dim)" },
]);

const look = EditorView.theme({
  "&": { backgroundColor: "var(--page)", color: "inherit" },
  ".cm-gutters": { backgroundColor: "var(--soft)", color: "var(--dim)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--busy) 8%, transparent)" },
  ".cm-cursor": { borderLeftColor: "currentColor" },
  ".cm-template": { color: "var(--warn)" },
  ".cm-tooltip": {
    backgroundColor: "var(--page)",
    border: "1px solid var(--line)",
    color: "inherit",
    maxWidth: "30rem",
  },
  ".cm-content": { fontFamily: "var(--mantine-font-family-monospace)" },
});

/** Two blanks are YAML's step; Tab itself goes on to the next field, for those without a mouse. */
const steps = keymap.of([
  { key: "Mod-]", run: indentMore },
  { key: "Mod-[", run: indentLess },
]);

interface Props {
  label: string;
  value: string;
  onChange: (text: string) => void;
  mistakes: readonly Placed[];
  /** What may stand at a place: from the API's own schema. */
  complete: (before: string, line: string) => string[];
}

/** A text with line numbers, colours, and mistakes at their lines. */
export function CodeArea({ label, value, onChange, mistakes, complete }: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const latest = useRef({ onChange, complete });
  useEffect(() => {
    latest.current = { onChange, complete };
  });

  useEffect(() => {
    const parent = holder.current;
    if (parent === null) return;
    const source = (context: CompletionContext): CompletionResult | null => {
      const variable = context.matchBefore(/\{\{-?\s*[A-Za-z_.]*/);
      if (variable !== null) {
        const from = variable.from + (/^\{\{-?\s*/.exec(variable.text)?.[0].length ?? 0);
        return { from, options: VARIABLES.map((label) => ({ label, type: "variable" })), validFor: /^[A-Za-z_.]*$/ };
      }
      const word = context.matchBefore(/[A-Za-z_]*/);
      if (word === null || (word.from === word.to && !context.explicit)) return null;
      const line = context.state.doc.lineAt(context.pos);
      if (!/^ *(- +)*$/.test(line.text.slice(0, word.from - line.from))) return null;
      const options = latest.current.complete(
        context.state.sliceDoc(0, line.from),
        line.text.slice(0, word.from - line.from),
      );
      return {
        from: word.from,
        options: options.map((option) => ({ label: option, apply: `${option}: `, type: "property" })),
      };
    };
    const made = new EditorView({
      parent,
      state: EditorState.create({
        doc: value,
        extensions: [
          EditorView.cspNonce.of(document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? ""),
          lineNumbers(),
          lintGutter(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          bracketMatching(),
          highlightSelectionMatches(),
          indentUnit.of("  "),
          new LanguageSupport(nested, yaml().support),
          templates,
          syntaxHighlighting(colours),
          syntaxHighlighting(defaultHighlightStyle, { fallback: true }),
          autocompletion({ override: [source] }),
          steps,
          keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap]),
          EditorView.contentAttributes.of({ "aria-label": label, "aria-multiline": "true" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString());
          }),
          look,
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
    // Made once: what is typed is the editor's own.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [label]);

  useEffect(() => {
    const made = view.current;
    if (made !== undefined && made.state.doc.toString() !== value) {
      made.dispatch({ changes: { from: 0, to: made.state.doc.length, insert: value } });
    }
  }, [value]);

  useEffect(() => {
    const made = view.current;
    if (made === undefined) return;
    const length = made.state.doc.length;
    const all: Diagnostic[] = mistakes.map(({ from, to, detail }) => ({
      from: Math.min(from, length),
      to: Math.min(to, length),
      severity: "error",
      message: detail,
    }));
    made.dispatch(setDiagnostics(made.state, all));
  }, [mistakes]);

  return <div ref={holder} />;
}
