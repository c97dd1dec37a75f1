//! Examples, by the operation that takes them. A test holds each to its schema.
use crate::http::problem::codes_of;
use serde_json::{Value, json};

/// What an operation may be sent.
pub(super) fn body(operation: &str) -> Option<Value> {
    let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let file = |name: &str| json!({"url": format!("https://images.example/fcos/{name}"), "sha256": sha256});
    Some(match operation {
        "putRole" => json!({"spec": {
            "description": "looks after the machines of the web team",
            "rules": [
                {"verbs": ["get"], "kinds": ["Profile", "Group"]},
                {"verbs": ["get", "hold", "release"], "kinds": ["Machine"], "selector": "team=web"},
            ],
        }}),
        "checkMyRight" => json!({"verb": "hold", "kind": "Machine", "name": "n1"}),
        "putFirmware" => json!({"spec": {
            "match": {"client": "pxe", "archs": [7], "ouis": ["b8:27:eb"]}, "replies": ["plain", "pxe"],
        }}),
        "putSubnet" => json!({"labels": {"site": "dc1"}, "spec": {
            "cidr": "10.77.0.0/24", "mode": "authoritative", "ranges": ["10.77.0.100-10.77.0.200"],
            "gateway": "10.77.0.1", "dns": ["10.77.0.1"], "lease": "1h", "unknown": "discover",
        }}),
        "putImage" => json!({"spec": {
            "os": "fedora-coreos", "arch": "x86_64", "version": "42.20261101.3.0", "kernel": file("kernel"),
            "initrd": [file("initramfs.img")], "rootfs": file("rootfs.img"),
        }}),
        "putProfile" => json!({"spec": {
            "image": "fcos-42", "boot": "live", "kernelArgs": ["console=ttyS0"], "layers": ["base"],
            "butane": "variant: fcos\nversion: 1.5.0\n",
        }}),
        "putGroup" => json!({"spec": {
            "match": {"labels": {"role": "worker"}}, "profile": "worker", "variables": {"zone": "a"},
        }}),
        "putMachine" => json!({"labels": {"role": "worker", "rack": "r1"}, "spec": {
            "macs": ["52:54:00:12:34:56"], "rack": "r1", "unit": 12,
        }}),
        "putHardwareClass" => json!({"spec": {
            "onMismatch": "hold", "model": "PowerEdge R640*", "cpus": {"sockets": 2, "cores": 16}, "memory": {"total": "384GiB"},
            "disks": [{"count": 2, "kind": "nvme", "size": {"min": "900GB"}}], "nics": [{"count": 2, "speed": "25Gbit", "link": true}],
        }}),
        "putExpectedMachine" => json!({"labels": {"role": "worker"}, "spec": {
            "serial": "ABC1234", "bmcMac": "52:54:00:12:34:57", "rack": "r1", "unit": 12, "accept": true,
        }}),
        "putAcceptRule" => json!({"spec": {
            "match": {"model": "PowerEdge*", "memory": {"min": "64GiB"}}, "name": "{{ site }}-{{ serial }}", "labels": {"role": "worker"},
            "limit": 40,
        }}),
        "acceptMachine" => json!({"as": "n1", "labels": {"role": "worker"}}),
        "putWebhook" => json!({"spec": {
            "url": "https://hooks.example/pilotlight", "events": ["machine.*", "boot.failed"], "selector": "site=dc1",
            "secret": {"file": "/etc/pilotlight/secrets/webhook"}, "headers": {"authorization": {"env": "PILOTLIGHT_SECRET_CI"}},
            "timeout": "10s",
        }}),
        "applyDocuments" | "planDocuments" => json!([
            {"kind": "Group", "name": "workers", "spec": {"profile": "worker"}},
            {"kind": "Machine", "name": "n1", "spec": {"macs": ["52:54:00:12:34:56"]}},
        ]),
        "renderDraft" => json!({"machine": "n1", "profile": "worker", "documents": [
            {"kind": "Profile", "name": "worker", "spec": {"image": "os", "boot": "live", "kernelArgs": ["quiet"]}},
        ]}),
        "holdMachine" => json!({"reason": "a DIMM is replaced"}),
        "switchMachine" => json!({"action": "cycle", "boot": "pxe"}),
        "identifyMachine" => json!({"lit": true}),
        "actOnMachines" => {
            json!({"action": "hold", "selector": "rack=r1", "reason": "the rack's switch is replaced"})
        }
        "createToken" => json!({"name": "ci", "role": "editor", "expires": "2099-01-01T00:00:00Z"}),
        "createUser" => json!({"name": "alice", "password": "a long sentence of hers", "role": "operator"}),
        "putUser" => json!({"role": "editor", "scope": {"selector": "site=dc1"}, "disabled": false}),
        "putUserPassword" => json!({"password": "another long sentence"}),
        "changePassword" => json!({"old": "a long sentence of hers", "new": "another long sentence"}),
        "signIn" => json!({"name": "alice", "password": "a long sentence of hers"}),
        "exchangeToken" => json!({
            "subject_token": "eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl",
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        }),
        "explainPacket" => json!({"packet": "01 01 06 00", "subnet": "rack-a", "port": 67}),
        _ => return None,
    })
}

/// What a refusal with this status looks like.
pub(super) fn problem(status: u16) -> Value {
    let (code, title) = codes_of(status).next().unwrap_or_default();
    let detail = match status {
        401 => "this token is unknown, or has ended",
        403 => "the role viewer may not `write` Group",
        404 => "there is no machine n1",
        409 => "profile worker cannot go: group workers gives it to machines",
        412 => "Group workers is not as you read it: it is at revision 4",
        422 => "1 part of what was sent is wrong; nothing was changed",
        _ => "in words what happened",
    };
    let mut problem = json!({
        "status": status, "code": code, "title": title, "detail": detail, "request_id": "3f6c1a2b9d8e7f60",
    });
    if let (422, Some(problem)) = (status, problem.as_object_mut()) {
        let detail = "Subnet rack-a: the range is not in 10.77.0.0/24";
        problem.insert("errors".into(), json!([{"document": 0, "path": "spec.ranges[1]", "detail": detail}]));
    }
    problem
}
