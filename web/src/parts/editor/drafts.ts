/** What was typed and not applied: kept for the tab, so that neither a reload nor a sign-in loses it. */
const key = (draft: string) => `pilotlight.draft.${draft}`;

export const draftOf = (draft: string): string | null => sessionStorage.getItem(key(draft));

/** Takes a draft away, so that the text as it is declared is shown. */
export const forget = (draft: string): void => sessionStorage.removeItem(key(draft));

/** Keeps a text as a draft. */
export const keep = (draft: string, text: string): void => sessionStorage.setItem(key(draft), text);
