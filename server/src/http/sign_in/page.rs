//! How the pages look.
use crate::http::{auth::browser, status::escaped};

const STYLE: &str = include_str!("sign_in.css");

/// What a page says above its form.
pub(super) struct Says {
    refused: bool,
    words: String,
}

impl Says {
    /// That it was not done.
    pub(super) fn refused(words: &str) -> Self {
        Self { refused: true, words: sentence(words) }
    }

    /// That it was done.
    pub(super) fn told(words: &str) -> Self {
        Self { refused: false, words: sentence(words) }
    }

    /// With another sentence.
    pub(super) fn and(mut self, words: &str) -> Self {
        if !words.is_empty() {
            self.words = format!("{} {words}", self.words);
        }
        self
    }

    fn html(&self) -> String {
        let (class, role) = if self.refused { ("refused", "alert") } else { ("told", "status") };
        format!("<p class=\"{class}\" role=\"{role}\">{}</p>", escaped(&self.words))
    }
}

/// The page to sign in.
pub(super) struct Page<'a> {
    pub(super) site: &'a str,
    pub(super) next: &'a str,
    pub(super) name: &'a str,
    pub(super) users: bool,
    pub(super) issuer: Option<&'a str>,
    pub(super) says: Option<Says>,
}

impl Page<'_> {
    pub(super) fn render(&self) -> String {
        let says = self.says.as_ref().map(Says::html).unwrap_or_default();
        let next = escaped(self.next);
        let (name, focus_name, focus_password) = match self.name {
            "" => (String::new(), " autofocus", ""),
            name => (escaped(name), "", " autofocus"),
        };
        let form = format!(
            "<form method=\"post\" action=\"/sign-in\"><input type=\"hidden\" name=\"next\" value=\"{next}\">\
             <label for=\"name\">Name</label><input id=\"name\" name=\"name\" value=\"{name}\" autocomplete=\"username\" \
             autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"63\" required{focus_name}>\
             <label for=\"password\">Password</label><input id=\"password\" name=\"password\" type=\"password\" \
             autocomplete=\"current-password\" maxlength=\"1024\" required{focus_password}><button>Sign in</button></form>"
        );
        let token = format!(
            "<form method=\"post\" action=\"/sign-in\"><input type=\"hidden\" name=\"next\" value=\"{next}\">\
             <label for=\"token\">API token</label><input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"off\" \
             maxlength=\"256\" required><button>Sign in with the token</button></form>"
        );
        let details = format!("<details><summary>Sign in with an API token</summary>{token}</details>");
        let issuer = self.issuer.map(|host| {
            let (host, next) = (escaped(host), browser::escaped(self.next));
            format!("<a class=\"button\" href=\"/sign-in/oidc?next={next}\">Sign in with {host}</a>")
        });
        let body = match (issuer, self.users) {
            (Some(issuer), true) => format!("{issuer}<p class=\"or\">or as a local user</p>{form}{details}"),
            (Some(issuer), false) => format!("{issuer}{details}"),
            (None, true) => format!("{form}{details}"),
            // Without users the token of the first start is the way in.
            (None, false) => format!(
                "<p>There are no users yet. The first token is in <code>admin.token</code> in the server's data directory.</p>{token}"
            ),
        };
        whole(self.site, "Sign in", &format!("{says}{body}"))
    }
}

/// The page to sign out.
pub(super) fn sign_out(site: &str, name: &str) -> String {
    let body = format!(
        "<p>You are signed in as <b>{}</b>.</p><form method=\"post\" action=\"/sign-out\"><button>Sign out</button></form>\
         <p><a href=\"/status\">Back</a></p>",
        escaped(name)
    );
    whole(site, "Sign out", &body)
}

/// A page with this in it.
pub(super) fn whole(site: &str, title: &str, body: &str) -> String {
    let site = escaped(site);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{title} · Pilotlight: {site}</title><style>{STYLE}</style></head>\
         <body><main><header><h1>Pilotlight</h1><p>site {site}</p></header><h2>{title}</h2>{body}</main></body></html>"
    )
}

/// With a capital letter and a full stop.
fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let stop = if words.ends_with('.') { "" } else { "." };
    format!("{first}{}{stop}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_shown_as_text() {
        let bad = "\"><script>alert(1)</script>";
        let says = Some(Says::refused("the name or the password is wrong"));
        let html = Page { site: bad, next: bad, name: bad, users: true, issuer: Some(bad), says }.render();
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("The name or the password is wrong."));
        assert!(!sign_out(bad, bad).contains("<script"));
    }
}
