import {
  Alert,
  AppShell,
  Burger,
  Button,
  Group,
  Kbd,
  Menu,
  NavLink,
  Text,
  Tooltip,
  UnstyledButton,
  useMantineColorScheme,
} from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { useEffect, useState, useSyncExternalStore } from "react";
import { follow, live } from "../api/live";
import { session, signOut } from "../api/session";
import { api } from "../api/version";
import { Icon } from "../parts/Icon";
import { Boundary, Empty, Waiting } from "../parts/Trouble";
import { version } from "../words/operations";
import { shell } from "../words/shell";
import { PAGES } from "./pages";
import { Palette } from "./Palette";
import { SignIn } from "./SignIn";

/** The frame around all pages. */
export function Shell() {
  const state = useSyncExternalStore(session.subscribe, session.state);
  const [everIn, setEverIn] = useState(false);
  if (state === "in" && !everIn) setEverIn(true);
  if (!everIn) {
    return <main className="alone">{state === "unknown" ? <Waiting what={shell.signIn.asking} /> : <SignIn />}</main>;
  }
  return (
    <>
      <Frame />
      {/* Over the page, which stays as it is: what was typed is still there. */}
      {state === "out" && <SignIn resume />}
    </>
  );
}

function Frame() {
  const queries = useQueryClient();
  const [open, { toggle, close }] = useDisclosure(false);
  const [palette, { open: find, close: found }] = useDisclosure(false);
  const { pathname } = useLocation();
  useEffect(() => follow(queries), [queries]);
  useEffect(close, [pathname, close]);
  useHotkeys([["/", find]]);
  // In the middle of typing too.
  useHotkeys([["mod+K", find]], []);
  return (
    <AppShell
      header={{ height: 48 }}
      navbar={{ width: 188, breakpoint: "sm", collapsed: { mobile: !open } }}
      padding="sm"
    >
      <a className="skip" href="#page">
        {shell.skip}
      </a>
      <AppShell.Header>
        <Group h="100%" px="sm" gap="sm" wrap="nowrap">
          <Burger
            opened={open}
            onClick={toggle}
            hiddenFrom="sm"
            size="sm"
            aria-label={open ? shell.closeNavigation : shell.openNavigation}
          />
          <Link to="/" className="brand">
            <img src="/favicon.svg" alt="" width={22} height={22} />
            <span>{shell.name}</span>
          </Link>
          <UnstyledButton className="finder" onClick={find}>
            <Icon name="search" />
            <span className="findertext">{shell.searchHint}</span>
            <Kbd size="xs" aria-hidden="true">
              /
            </Kbd>
          </UnstyledButton>
          <Group gap="xs" ml="auto" wrap="nowrap">
            <LiveMark />
            <Account />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p={6} aria-label={shell.navigation}>
        {(["fleet", "declared", "record"] as const).map((section) => (
          <div key={section}>
            <Text size="xs" className="section">
              {shell.sections[section]}
            </Text>
            {PAGES.filter((page) => page.section === section).map((page) => (
              <NavLink
                key={page.to}
                component={Link}
                to={page.to}
                label={shell.pages[page.name]}
                leftSection={<Icon name={page.name} />}
                active={page.to === "/" ? pathname === "/" : pathname.startsWith(page.to)}
                {...(pathname === page.to ? { "aria-current": "page" as const } : {})}
              />
            ))}
          </div>
        ))}
      </AppShell.Navbar>
      <AppShell.Main id="page" tabIndex={-1}>
        <Notices />
        <Boundary resetBy={pathname}>
          <Outlet />
        </Boundary>
      </AppShell.Main>
      {palette && <Palette close={found} />}
    </AppShell>
  );
}

function LiveMark() {
  const state = useSyncExternalStore(live.subscribe, live.state);
  return (
    <span className={`live live-${state}`} role="status">
      <Icon name={state === "live" ? "check" : state === "lost" ? "warning" : "events"} size={14} />
      <span className="livetext">{shell.live[state]}</span>
    </span>
  );
}

function Notices() {
  const lost = useSyncExternalStore(live.subscribe, live.state) === "lost";
  const outdated = useSyncExternalStore(live.subscribe, live.outdated);
  const another = useSyncExternalStore(api.subscribe, api.isAnother);
  return (
    <>
      {(outdated || another) && (
        <Alert color="yellow" mb="sm" role="alert">
          <Group justify="space-between">
            {outdated ? shell.outdated : version.other}
            <Button size="xs" variant="default" onClick={() => location.reload()}>
              {shell.reload}
            </Button>
          </Group>
        </Alert>
      )}
      {lost && (
        <Alert color="yellow" mb="sm" role="alert">
          {shell.live.lostLong}
        </Alert>
      )}
    </>
  );
}

function Account() {
  const me = useSyncExternalStore(session.subscribe, session.me);
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <Tooltip label={me === undefined ? shell.account : shell.signedInAs(me.name, me.role)}>
          <UnstyledButton className="account" aria-label={shell.account}>
            <Icon name="access" size={18} />
          </UnstyledButton>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        {me !== undefined && <Menu.Label>{shell.signedInAs(me.name, me.role)}</Menu.Label>}
        <Menu.Label>{shell.theme.label}</Menu.Label>
        {(["auto", "light", "dark"] as const).map((scheme) => (
          <Menu.Item
            key={scheme}
            onClick={() => setColorScheme(scheme)}
            leftSection={colorScheme === scheme ? <Icon name="check" /> : <span className="iconspace" />}
          >
            {shell.theme[scheme]}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item onClick={() => void signOut()}>{shell.signOut}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

export function NotFound() {
  const { pathname } = useLocation();
  return (
    <Empty title={shell.notFound(pathname)}>
      <Link to="/">{shell.pages.overview}</Link>
    </Empty>
  );
}
