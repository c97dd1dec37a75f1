import "@mantine/core/styles.css";
import "./app.css";
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Refused } from "./api/client";
import { signIn } from "./api/session";
import { router } from "./routes";
import { theme } from "./shell/theme";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // The live stream says what changed: nothing is asked for by the clock, or because a window came to the front.
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      // A refusal is the answer; what did not get through may be tried again.
      retry: (tries, error) => !(error instanceof Refused) && tries < 2,
    },
  },
});

const nonce = document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";
// What keeps the page from scrolling behind a dialog makes a style sheet too, and looks for its nonce here.
Object.assign(globalThis, { __webpack_nonce__: nonce });

const root = document.getElementById("app");
if (root !== null) {
  void signIn();
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={() => nonce}>
        <QueryClientProvider client={queries}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
