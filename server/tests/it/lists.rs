//! Lists that are filtered: page after page they are what the whole list holds, each thing once and in its order.
use crate::{
    http::{asked, secure, token},
    rig::{Engine, Rig, machine},
};
use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use pilotlight_types::api::{NewToken, Role, Scope};
use serde_json::{Value, json};

const MACHINES: u8 = 12;

async fn get(router: &Router, token: &str, path: &str) -> Value {
    let request = Request::builder()
        .uri(format!("/api/v1{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    let (status, _, bytes) = asked(router, request, Body::empty()).await;
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// Every page of a list, one after the other: `id` of each item.
async fn paged(router: &Router, token: &str, path: &str, id: &str, cursor: &str) -> Vec<Value> {
    let (mut all, mut next) = (Vec::new(), None::<String>);
    for _ in 0..1000 {
        let at = next.map(|next| format!("&{cursor}={next}")).unwrap_or_default();
        let page = get(router, token, &format!("{path}{at}")).await;
        all.extend(page["items"].as_array().unwrap().iter().map(|item| item[id].clone()));
        match page["next"].as_str() {
            Some(there) => next = Some(there.to_owned()),
            None => return all,
        }
    }
    panic!("{path} has no end");
}

/// Twelve machines in three racks, each with a boot; four boots began at the same moment each time, and one failed.
async fn a_hall() -> Rig {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let mac = |n: u8| format!("52:54:00:00:01:{n:02x}");
    let machines: Vec<Value> = (0..MACHINES)
        .map(|n| {
            let mut document = machine(&format!("m{n}"), &mac(n));
            document["labels"]["row"] = json!(format!("r{}", n % 3));
            document
        })
        .collect();
    for some in machines.chunks(3) {
        rig.apply(some).await;
    }
    for n in 0..MACHINES {
        rig.script(&mac(n), [10, 77, 0, 110 + n]).await;
        if n % 4 == 3 {
            rig.advance(60);
        }
    }
    rig.written().await;
    rig
}

#[tokio::test]
async fn pages_of_what_is_filtered_are_the_whole_of_it() {
    let rig = a_hall().await;
    let admin = token(&rig, "a", Role::Admin).await;
    let scope = Scope { selector: "row=r1".into(), ..Scope::default() };
    let new = NewToken { name: "row".into(), role: Role::Viewer, expires: None, scope };
    let scoped = rig.access.create(new, &crate::rig::operator()).await.unwrap().expose().clone();
    let router = secure(&rig);
    let row_of = |object: &str| {
        let number: Option<u8> = object.strip_prefix('m').and_then(|number| number.parse().ok());
        number.map(|number| format!("r{}", number % 3))
    };
    let boots = get(&router, &admin, "/boots").await["items"].as_array().unwrap().clone();
    assert_eq!(boots.len(), usize::from(MACHINES));
    let since = boots[4]["started"].as_str().unwrap().to_owned();
    let later = boots.iter().filter(|boot| boot["started"].as_str().unwrap() >= since.as_str()).count();
    assert!(later >= 5 && later < boots.len(), "{later}");
    let events = get(&router, &admin, "/events").await["items"].as_array().unwrap().clone();
    let audit = get(&router, &admin, "/audit").await["items"].as_array().unwrap().clone();
    let of_row = |object: &Value, row: &str| {
        let object = object.as_str().unwrap();
        row_of(object.strip_prefix("machine/").unwrap_or(object)).as_deref() == Some(row)
    };
    let ids = |items: &[Value], id: &str, meant: &dyn Fn(&Value) -> bool| -> Vec<Value> {
        items.iter().filter(|item| meant(item)).map(|item| item[id].clone()).collect()
    };
    let mut pages = 0;
    for limit in [1, 2, 3, 5, 7, 500] {
        for (list, all, id, about) in [
            ("boots", &boots, "id", "machine"),
            ("events", &events, "seq", "object"),
            ("audit", &audit, "seq", "object"),
        ] {
            let whole = paged(&router, &admin, &format!("/{list}?limit={limit}"), id, "cursor").await;
            assert_eq!(whole, ids(all, id, &|_| true), "{list} by {limit}");
            for row in ["r0", "r1", "r9"] {
                let path = format!("/{list}?limit={limit}&selector=row%3D{row}");
                let some = paged(&router, &admin, &path, id, "cursor").await;
                assert_eq!(some, ids(all, id, &|item| of_row(&item[about], row)), "{path}");
                pages += some.len() / limit + 1;
            }
            if list != "audit" {
                let path = format!("/{list}?limit={limit}");
                let seen = paged(&router, &scoped, &path, id, "cursor").await;
                assert_eq!(seen, ids(all, id, &|item| of_row(&item[about], "r1")), "{path} with a scope");
            }
        }
        let mut rising = ids(&events, "seq", &|item| of_row(&item["object"], "r2"));
        rising.reverse();
        let path = format!("/events?limit={limit}&selector=row%3Dr2");
        let first = get(&router, &admin, &format!("{path}&after=0")).await;
        let mut found = ids(first["items"].as_array().unwrap(), "seq", &|_| true);
        if let Some(next) = first["next"].as_str() {
            found.extend(paged_after(&router, &admin, &path, next).await);
        }
        assert_eq!(found, rising, "{path}, oldest first");
        let path = format!("/boots?limit={limit}&since={since}");
        assert_eq!(paged(&router, &admin, &path, "id", "cursor").await.len(), later, "{path}");
        let path = format!("/boots?limit={limit}&outcome=none");
        assert_eq!(paged(&router, &admin, &path, "id", "cursor").await.len(), boots.len(), "{path}");
        let path = format!("/boots?limit={limit}&outcome=failed");
        assert_eq!(paged(&router, &admin, &path, "id", "cursor").await.len(), 0, "{path}");
    }
    println!("{pages} pages of {} boots, {} events, {} rows", boots.len(), events.len(), audit.len());
    assert!(pages > 50, "{pages}");
}

/// The pages of events after one, oldest first.
async fn paged_after(router: &Router, token: &str, path: &str, from: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), from.to_owned());
    for _ in 0..1000 {
        let page = get(router, token, &format!("{path}&after={after}")).await;
        all.extend(page["items"].as_array().unwrap().iter().map(|item| item["seq"].clone()));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => return all,
        }
    }
    panic!("{path} has no end");
}
