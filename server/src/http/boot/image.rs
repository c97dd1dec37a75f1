//! The files of an image: whole or one range of it (RFC 9110 section 14), always with their length, straight from the image store.
use super::{
    BootFiles, boot_id,
    tally::{NEWS, PAUSE},
};
use crate::{
    http::{connection::Outgoing, problem::Failure},
    service::{boots::Seen, content::Content, delivery::ImageFile},
};
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{Stream, stream};
use pilotlight_types::{BootId, api::Phase};
use std::{io, ops::Range, sync::Arc, time::Instant};

pub(super) async fn file(
    State(boot): State<Arc<BootFiles>>,
    Path((id, name)): Path<(String, String)>,
    outgoing: Option<Extension<Outgoing>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let id = boot_id(&id)?;
    let ImageFile { path, phase } = boot.delivery.image_file(id, &name)?;
    let content = boot.contents.open(&path).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "{} cannot be served", path.display());
        Failure::unavailable(format!("file {name} of this boot is lost; apply its image again"))
    })?;
    let size = content.size();
    // A file of the store is named by the hash of its content.
    let tag = format!("\"{}\"", path.file_name().unwrap_or_default().to_string_lossy());
    let wanted = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let same = wanted(header::IF_RANGE).is_none_or(|known| known == tag);
    let asked = wanted(header::RANGE)
        .filter(|_| same && method == Method::GET)
        .map_or(Asked::Whole, |text| range(text, size));
    let common = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, tag),
    ];
    let (status, range, part) = match asked {
        Asked::Whole => (StatusCode::OK, 0..size, None),
        Asked::Part(range) => {
            let part = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
            (StatusCode::PARTIAL_CONTENT, range, Some(part))
        }
        Asked::Nothing => {
            let headers = [
                (header::CONTENT_RANGE, format!("bytes */{size}")),
                (header::CONTENT_LENGTH, "0".to_owned()),
            ];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, common, headers).into_response());
        }
    };
    let length = [(header::CONTENT_LENGTH, (range.end - range.start).to_string())];
    let part = part.map(|part| [(header::CONTENT_RANGE, part)]);
    let body = if method == Method::GET {
        if part.is_none() || boot.tally.begins(id, phase, Instant::now()) {
            boot.boots.saw(id, Seen::begun(phase, name));
        }
        if let Some(Extension(outgoing)) = outgoing {
            outgoing.is(content.clone());
        }
        let left = range.end - range.start;
        let progress = Progress {
            boot,
            id,
            phase,
            left,
            news: 0,
            told: Instant::now(),
            part: part.is_some(),
            last: range.end == size,
        };
        Body::from_stream(pieces(content, range, progress))
    } else {
        Body::empty()
    };
    Ok((status, common, length, part, body).into_response())
}

/// What a Range header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// Everything: it is not understood, or asks for several ranges, and the header may be passed over.
    Whole,
    /// Not empty.
    Part(Range<u64>),
    /// What the file does not have.
    Nothing,
}

fn range(text: &str, size: u64) -> Asked {
    let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return Asked::Whole;
    };
    let number =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let range = match (number(first.trim()), number(last.trim())) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.trim().is_empty() => first..size,
        (None, Some(count)) if first.trim().is_empty() => size.saturating_sub(count)..size,
        _ => return Asked::Whole,
    };
    if range.is_empty() { Asked::Nothing } else { Asked::Part(range) }
}

fn pieces(content: Content, range: Range<u64>, progress: Progress) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((content, range, progress), |(content, range, mut progress)| async move {
        let Some((bytes, rest)) = content.next(range).await? else { return Ok(None) };
        progress.took(bytes.len() as u64);
        Ok(Some((bytes, (content, rest, progress))))
    })
}

/// Says how much of a body was taken: now and then, and when it ends or is dropped.
struct Progress {
    boot: Arc<BootFiles>,
    id: BootId,
    phase: Phase,
    left: u64,
    /// What was taken since it was last told.
    news: u64,
    /// When that was.
    told: Instant,
    /// It is a range, of which there may be many more.
    part: bool,
    /// It goes on to the file's end.
    last: bool,
}

impl Progress {
    fn took(&mut self, bytes: u64) {
        self.news += bytes;
        self.left = self.left.saturating_sub(bytes);
        if self.news >= NEWS && self.left > 0 && self.told.elapsed() >= PAUSE {
            self.told = Instant::now();
            self.tell(false);
        }
    }

    fn tell(&mut self, ended: bool) {
        let mut news = std::mem::take(&mut self.news);
        self.boot.metrics.sent(news);
        let whole = ended && self.last;
        if self.part {
            let Some(sum) = self.boot.tally.add(self.id, self.phase, news, whole, Instant::now()) else {
                return;
            };
            news = sum;
        }
        self.boot.boots.saw(self.id, Seen::served(self.phase, news, whole));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.tell(self.left == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_what_rfc_9110_says_or_everything() {
        for (text, asked) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=2-5", Asked::Part(2..6)),
            ("bytes=2-", Asked::Part(2..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-30", Asked::Part(0..10)),
            ("bytes=5-18446744073709551615", Asked::Part(5..10)),
            ("bytes= 2 - 5", Asked::Part(2..6)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=10-12", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=5-2", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("lines=0-1", Asked::Whole),
            ("bytes=99999999999999999999-", Asked::Whole),
            ("", Asked::Whole),
        ] {
            assert_eq!(range(text, 10), asked, "{text}");
        }
        assert_eq!(range("bytes=0-", 0), Asked::Nothing);
    }
}
