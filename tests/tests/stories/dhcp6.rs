//! DHCPv6 on the wire: real clients, a real relay, and the table of RFC 8415.

use std::fs;
use std::net::Ipv6Addr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pilotlight_tests::rack::Namespace;
use serde_json::{Value, json};

use crate::addresses::told;
use crate::clients::{Told, dhclient6, end_dhclient};
use crate::net::Net;
use crate::net6::{
    ADVERTISE, Answer, CONFIRM, Client6, DECLINE, INFORMATION, REBIND, RELEASE, RENEW, REPLY, REQUEST,
    SERVER6, SOLICIT, association, host6, option, options_of, rack6, settled, start6, subnet6,
};
use crate::rig::{document, skipped};

const MAC: &str = "02:00:00:00:61:01";

/// A DUID that says nothing of the machine.
const DUID: &[u8] = &[0, 2, 0, 0, 0x09, 0xbf, 1, 2, 3];

fn held(told: &Told) -> Result<Ipv6Addr> {
    Ok(told.get("new_ip6_address").with_context(|| format!("no address in {told:?}"))?.parse()?)
}

fn in_range(ip: Ipv6Addr) -> bool {
    let [first, last] = [0x1000, 0x1fff].map(|last| Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, last));
    (first..=last).contains(&ip)
}

async fn held_here(net: &Net) -> Result<u64> {
    net.counted("pilotlight_leases6_held{subnet=\"rack\"}").await
}

#[tokio::test(flavor = "multi_thread")]
async fn real_clients_are_given_addresses_and_options_and_renew() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let mut subnet = subnet6("discover");
    subnet["spec"]["lease"] = json!("1m");
    let net = start6(rack6("plsix").await?, &[subnet], |builder| builder).await?;
    let folder = net.rig.folder.path();
    let host = host6(&net.rack, "client", MAC).await?;
    let asks = "request dhcp6.name-servers, dhcp6.domain-search;";
    let given = dhclient6(&host, folder, asks)?;
    let address = held(&given)?;
    ensure!(in_range(address), "{given:?}");
    assert_eq!(given.get("new_dhcp6_name_servers").map(String::as_str), Some("2001:db8:77::53"));
    assert_eq!(given.get("new_dhcp6_domain_search").map(String::as_str), Some("rack.example."));
    assert_eq!((given.get("new_max_life").map(String::as_str), held_here(&net).await?), (Some("60"), 1));
    // It asks again at half of its time.
    let env = folder.join("dhclient.env");
    fs::remove_file(&env)?;
    let mut renewed = None;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        renewed = fs::read_to_string(&env).ok();
        if renewed.is_some() {
            break;
        }
    }
    let renewed = renewed.context("the lease was not renewed")?;
    ensure!(renewed.contains("reason=RENEW6") && renewed.contains(&address.to_string()), "{renewed}");
    end_dhclient(folder).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_outlives_the_daemon_and_ends_when_it_is_given_back() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let machine = document("Machine", "n1", json!({"macs": [MAC], "ip6": "2001:db8:77::5"}));
    let mut net =
        start6(rack6("plsixback").await?, &[subnet6("discover"), machine], |builder| builder).await?;
    let (n1, other) = (host6(&net.rack, "n1", MAC).await?, host6(&net.rack, "b", "02:00:00:00:61:02").await?);
    let mut n1 = Client6::new(&n1, DUID)?;
    let mut other = Client6::new(&other, &[0, 3, 0, 1, 2, 0, 0, 0, 0x61, 2])?;
    let reserved: Ipv6Addr = "2001:db8:77::5".parse()?;
    let leased = |client: &mut Client6| -> Result<(Answer, Vec<u8>)> {
        let advert = client.ask(SOLICIT, &[association(1, &[])])?.context("no advertise")?;
        assert_eq!((advert.kind, advert.option(7)), (ADVERTISE, Some(&[255][..])));
        ensure!(advert.from.ip().is_unicast_link_local(), "from {}", advert.from);
        let server = option(2, advert.option(2).context("no server")?);
        let (address, _) = *advert.addresses()?.first().context("no address")?;
        let reply =
            client.ask(REQUEST, &[server.clone(), association(1, &[address])])?.context("no reply")?;
        assert_eq!((reply.kind, reply.addresses()?), (REPLY, vec![(address, 600)]));
        Ok((reply, server))
    };
    let (reply, server) = leased(&mut n1)?;
    assert_eq!(reply.addresses()?, [(reserved, 600)]);
    let (others, _) = leased(&mut other)?;
    let (taken, _) = others.addresses()?[0];
    ensure!(in_range(taken), "{taken}");

    net.rig.daemon.kill()?;
    net.rig.daemon.restart().await?;
    assert_eq!(held_here(&net).await?, 2);
    // The daemon has the name that it had, and the leases: nobody is given what another has.
    let renewed = n1.ask(RENEW, &[server.clone(), association(1, &[reserved])])?.context("no reply")?;
    assert_eq!(renewed.addresses()?, [(reserved, 600)]);
    let robbed = n1.ask(REBIND, &[association(1, &[taken])])?.context("no reply")?;
    assert_eq!(robbed.addresses()?, [(taken, 0)]);

    let back = n1.ask(RELEASE, &[server.clone(), association(1, &[reserved])])?.context("no reply")?;
    assert_eq!((back.status()?, held_here(&net).await?), (Some(0), 1));
    let again = n1.ask(RELEASE, &[server, association(1, &[reserved])])?.context("no reply")?;
    assert_eq!(again.status()?, Some(3), "NoBinding");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_question_is_answered_as_rfc_8415_says() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = start6(rack6("plsixrfc").await?, &[subnet6("discover")], |builder| builder).await?;
    let host = host6(&net.rack, "client", MAC).await?;
    let mut client = Client6::new(&host, DUID)?;
    let silent = async |client: &mut Client6, kind, options: &[Vec<u8>], why: &str| -> Result<()> {
        let metric = format!("pilotlight_dhcp6_packets_total{{outcome=\"silent\",reason=\"{why}\"}}");
        let before = net.counted(&metric).await?;
        assert_eq!(client.ask(kind, options)?, None, "{why}");
        assert_eq!(net.counted(&metric).await?, before + 1, "{why}");
        Ok(())
    };
    // Rapid commit: one answer, and the lease is there.
    let rapid = client.ask(SOLICIT, &[option(14, &[]), association(7, &[])])?.context("no reply")?;
    let (address, seconds) = *rapid.addresses()?.first().context("no address")?;
    assert_eq!((rapid.kind, rapid.option(14), seconds), (REPLY, Some(&[][..]), 600));
    assert_eq!(held_here(&net).await?, 1);
    let server = option(2, rapid.option(2).context("no server")?);
    let foreign = option(2, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 9]);
    let elsewhere: Ipv6Addr = "2001:db8:99::1".parse()?;

    let confirmed = client.ask(CONFIRM, &[association(7, &[address])])?.context("no reply")?;
    assert_eq!(confirmed.option(13).and_then(|status| status.get(..2)), Some(&[0, 0][..]));
    let moved = client.ask(CONFIRM, &[association(7, &[address, elsewhere])])?.context("no reply")?;
    assert_eq!(moved.option(13).and_then(|status| status.get(..2)), Some(&[0, 4][..]), "NotOnLink");
    silent(&mut client, CONFIRM, &[association(7, &[])], "no_address_asked").await?;

    let other_link =
        client.ask(REQUEST, &[server.clone(), association(7, &[elsewhere])])?.context("no reply")?;
    assert_eq!((other_link.addresses()?, other_link.status()?), (vec![], Some(4)), "NotOnLink");
    let renewed = client.ask(RENEW, &[server.clone(), association(7, &[elsewhere])])?.context("no reply")?;
    assert_eq!(renewed.addresses()?, [(elsewhere, 0)], "it is taken away at once");
    let nothing = client.ask(RENEW, &[server.clone(), association(7, &[])])?.context("no reply")?;
    assert_eq!(nothing.status()?, Some(3), "NoBinding");
    let both = client.ask(SOLICIT, &[association(7, &[]), association(8, &[])])?.context("no advertise")?;
    let second = both.options.iter().filter(|(code, _)| *code == 3).nth(1).context("no second")?;
    ensure!(
        options_of(&second.1[12..])?.iter().any(|(code, data)| *code == 13 && data.starts_with(&[0, 2])),
        "{both:?}"
    );
    let prefix = client.ask(SOLICIT, &[option(25, &[0; 12])])?.context("no advertise")?;
    let refused = prefix.option(25).and_then(|data| data.get(12..18)).context("no answer to it")?;
    assert_eq!(
        (refused.first_chunk(), refused.last_chunk()),
        (Some(&[0, 13]), Some(&[0, 6])),
        "NoPrefixAvail"
    );

    // Only what is asked for, and no address.
    let asks = option(6, &[0, 23, 0, 59]);
    let rest = client.ask(INFORMATION, &[asks])?.context("no reply")?;
    assert_eq!(rest.option(23), Some(&"2001:db8:77::53".parse::<Ipv6Addr>()?.octets()[..]));
    assert_eq!((rest.option(24), rest.option(59), rest.option(3)), (None, None, None));

    // What is another's, or nobody's, is left alone.
    silent(&mut client, REQUEST, &[foreign.clone(), association(7, &[address])], "other_server").await?;
    silent(&mut client, RENEW, &[foreign, association(7, &[address])], "other_server").await?;
    silent(&mut client, REQUEST, &[association(7, &[address])], "no_server_id").await?;
    silent(&mut client, SOLICIT, &[server.clone(), association(7, &[])], "server_id").await?;
    silent(&mut client, INFORMATION, &[association(7, &[])], "not_for_servers").await?;
    host.ip("addr add 2001:db8:77::9/64 dev eth0 nodad")?;
    let sent =
        client.ask_at(SERVER6, RENEW, &[server.clone(), association(7, &[address])])?.context("no reply")?;
    assert_eq!((sent.status()?, *sent.from.ip()), (Some(5), SERVER6), "UseMulticast");
    assert_eq!(client.ask_at(SERVER6, SOLICIT, &[association(7, &[])])?, None);

    // An address that somebody else has is left alone for an hour.
    let declined = client.ask(DECLINE, &[server, association(7, &[address])])?.context("no reply")?;
    assert_eq!(declined.status()?, Some(0));
    let next = client.ask(SOLICIT, &[association(7, &[address])])?.context("no advertise")?;
    ensure!(next.addresses()?.iter().all(|(ip, _)| *ip != address), "{next:?}");
    let event = told(&net, "dhcp.conflict").await?;
    ensure!(event.message.contains(&address.to_string()), "{event:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_relay_the_link_is_that_of_the_relay() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let far_subnet = json!({
        "cidr": "10.78.0.0/24", "mode": "authoritative", "unknown": "discover",
        "cidr6": "2001:db8:78::/64", "ranges6": ["2001:db8:78::1000-2001:db8:78::1fff"],
    });
    let rack = rack6("plsixrelay").await?;
    let documents: [Value; 2] = [subnet6("discover"), document("Subnet", "far", far_subnet)];
    let net = start6(rack, &documents, |builder| builder).await?;
    let far = Namespace::create("plsixfar", None)?;
    let relay = net.rack.relay("relay", "10.77.0.2/24".parse()?, &far, "10.78.0.1/24".parse()?)?;
    relay.ip("addr add 2001:db8:77::2/64 dev eth0 nodad")?;
    relay.ip("addr add 2001:db8:78::1/64 dev eth1 nodad")?;
    settled(|| relay.ip("-6 addr show")).await?;
    net.rack.ip("-6 route add 2001:db8:78::/64 via 2001:db8:77::2 dev br0")?;
    let host = host6(&far, "client", MAC).await?;
    let upper = format!("{SERVER6}%eth0");
    for upper in [upper.as_str(), "eth0"] {
        let mut agent = relay
            .command("dhcrelay")
            .args(["-6", "-d", "-I", "-l", "eth1", "-u", upper])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("dhcrelay cannot be started: apt-get install isc-dhcp-relay")?;
        let told = dhclient6(&host, net.rig.folder.path(), "request dhcp6.name-servers;");
        end_dhclient(net.rig.folder.path()).await?;
        agent.kill()?;
        agent.wait()?;
        let address = held(&told.with_context(|| format!("by way of {upper}"))?)?;
        assert_eq!(address.segments()[..4], [0x2001, 0xdb8, 0x78, 0], "by way of {upper}");
    }
    Ok(())
}
