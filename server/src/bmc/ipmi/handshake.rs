//! How a session is opened (IPMI 2.0 sections 13.17 to 13.24): who we are, that the BMC knows our password, that we know it. Pure: bytes
//! in, bytes out; chance is handed in.
use super::{
    keys::{Keys, Suite, same},
    wire::WireError,
};
use crate::secret::Secret;

/// The role that we ask for: administrator, by the user's name alone.
const ADMINISTRATOR: u8 = 0x14;
/// The status that says that a code does not fit (table 13-15).
const INVALID_CODE: u8 = 0x0f;
/// Tells our packets apart from those of an earlier try.
const TAG: u8 = 0;

/// Why no session came of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Not for us, or damaged: the right one may still come.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The BMC does not know this suite.
    #[error("it does not offer cipher suite {0}")]
    NoSuite(u8),
    /// The user is not known, the password wrong, or the privilege too low.
    #[error("{0}")]
    Denied(String),
    /// All its sessions are in use.
    #[error("all its sessions are in use")]
    Full,
    /// Anything else that it says.
    #[error("it opens no session: {0}")]
    Refused(String),
}

/// A session being opened.
#[derive(Debug)]
pub struct Handshake {
    suite: Suite,
    user: Vec<u8>,
    password: Secret<Vec<u8>>,
    console: u32,
    our_chance: [u8; 16],
    bmc: u32,
    their_chance: [u8; 16],
    guid: [u8; 16],
}

/// A session that is open.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What the BMC calls it.
    pub bmc: u32,
    /// What we call it.
    pub console: u32,
    /// Its keys.
    pub keys: Keys,
}

/// The longest name and password (sections 13.20 and 22.28).
pub const LONGEST: (usize, usize) = (16, 20);

impl Handshake {
    /// Begins; `console` is what we call the session, and not zero.
    pub fn new(suite: Suite, user: &str, password: &Secret<String>, console: u32, chance: [u8; 16]) -> Self {
        Self {
            suite,
            user: user.as_bytes().to_vec(),
            password: Secret::new(password.expose().as_bytes().to_vec()),
            console,
            our_chance: chance,
            bmc: 0,
            their_chance: [0; 16],
            guid: [0; 16],
        }
    }

    /// The open session request.
    pub fn open(&self) -> Vec<u8> {
        let mut out = vec![TAG, ADMINISTRATOR & 0x0f, 0, 0];
        out.extend(self.console.to_le_bytes());
        for (kind, algorithm) in (0_u8..).zip(self.suite.algorithms()) {
            out.extend([kind, 0, 0, 8, algorithm, 0, 0, 0]);
        }
        out
    }

    /// The open session response; returns RAKP message 1.
    pub fn opened(&mut self, body: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let rest = self.answered(body)?;
        let (bmc, rest) = rest.split_first_chunk::<4>().ok_or(WireError::Short)?;
        // A BMC that answers with other algorithms than were asked for would have us speak in the clear.
        let chosen: Option<[u8; 3]> = (rest.len() >= 24).then(|| {
            [rest.get(4), rest.get(12), rest.get(20)].map(|byte| byte.map_or(0xff, |byte| byte & 0x3f))
        });
        if chosen.ok_or(WireError::Short)? != self.suite.algorithms() {
            return Err(HandshakeError::NoSuite(self.suite.id()));
        }
        self.bmc = u32::from_le_bytes(*bmc);
        let mut out = vec![TAG, 0, 0, 0];
        out.extend(self.bmc.to_le_bytes());
        out.extend(self.our_chance);
        out.extend(self.role());
        out.splice(25..25, [0, 0]);
        Ok(out)
    }

    /// RAKP message 2: the BMC knows our password. Returns RAKP message 3: so do we.
    pub fn challenged(&mut self, body: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let rest = self.answered(body)?;
        let (their_chance, rest) = rest.split_first_chunk::<16>().ok_or(WireError::Short)?;
        let (guid, code) = rest.split_first_chunk::<16>().ok_or(WireError::Short)?;
        let code = code.get(..self.suite.code_length()).ok_or(WireError::Short)?;
        let (console, bmc) = (self.console.to_le_bytes(), self.bmc.to_le_bytes());
        let role = self.role();
        let parts: [&[u8]; 6] = [&console, &bmc, &self.our_chance, their_chance, guid, &role];
        if !same(&self.suite.hmac(self.password.expose(), &parts), code) {
            let why = "the password is wrong: the BMC proves knowledge of another one";
            return Err(HandshakeError::Denied(why.to_owned()));
        }
        (self.their_chance, self.guid) = (*their_chance, *guid);
        let mut out = vec![TAG, 0, 0, 0];
        out.extend(bmc);
        out.extend(self.suite.hmac(self.password.expose(), &[their_chance, &console, &role]));
        Ok(out)
    }

    /// RAKP message 3 that ends what was begun: without it the BMC keeps the place of a session for a minute.
    pub fn refuse(&self) -> Vec<u8> {
        let mut out = vec![TAG, INVALID_CODE, 0, 0];
        out.extend(self.bmc.to_le_bytes());
        out
    }

    /// RAKP message 4: the BMC has the same session key as we have.
    pub fn agreed(&self, body: &[u8]) -> Result<Opened, HandshakeError> {
        let code = self.answered(body)?;
        let code = code.get(..self.suite.tag_length()).ok_or(WireError::Short)?;
        let role = self.role();
        let session_key =
            self.suite.hmac(self.password.expose(), &[&self.our_chance, &self.their_chance, &role]);
        let parts: [&[u8]; 3] = [&self.our_chance, &self.bmc.to_le_bytes(), &self.guid];
        let whole = self.suite.hmac(&session_key, &parts);
        if !same(whole.get(..self.suite.tag_length()).unwrap_or_default(), code) {
            return Err(HandshakeError::Wire(WireError::Code));
        }
        Ok(Opened { bmc: self.bmc, console: self.console, keys: Keys::new(self.suite, &session_key) })
    }

    /// The role, and the user's name with its length, as they are authenticated.
    fn role(&self) -> Vec<u8> {
        let mut out = vec![ADMINISTRATOR, u8::try_from(self.user.len()).unwrap_or_default()];
        out.extend(&self.user);
        out
    }

    /// What follows the tag, the status and our own session's id.
    fn answered<'a>(&self, body: &'a [u8]) -> Result<&'a [u8], HandshakeError> {
        let (&[tag, status], rest) = body.split_first_chunk::<2>().ok_or(WireError::Short)?;
        if tag != TAG {
            return Err(WireError::Session.into());
        }
        match status {
            0 => {}
            // Table 13-15.
            0x01 | 0x0b => return Err(HandshakeError::Full),
            0x04..=0x07 | 0x10 | 0x11 => return Err(HandshakeError::NoSuite(self.suite.id())),
            0x09 | 0x0a => {
                let why = format!("the user may not be administrator (status {status:#04x})");
                return Err(HandshakeError::Denied(why));
            }
            0x0d => return Err(HandshakeError::Denied("the user is not known (status 0x0d)".to_owned())),
            0x0f => return Err(HandshakeError::Denied("the password is wrong (status 0x0f)".to_owned())),
            other => return Err(HandshakeError::Refused(format!("status {other:#04x}"))),
        }
        let (_, rest) = rest.split_first_chunk::<2>().ok_or(WireError::Short)?;
        let (console, rest) = rest.split_first_chunk::<4>().ok_or(WireError::Short)?;
        if u32::from_le_bytes(*console) == self.console { Ok(rest) } else { Err(WireError::Session.into()) }
    }
}
