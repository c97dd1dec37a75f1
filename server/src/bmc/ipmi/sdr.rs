//! Sensors, and the records that say what their numbers mean (IPMI 2.0 sections 33, 35.14 and 36.3, tables 43-1 and 43-2).
use super::{Ipmi, SENSOR, STORAGE, sel::subject};
use crate::bmc::BmcError;
use pilotlight_types::api::Sensor;

const RESERVE: u8 = 0x22;
const GET_RECORD: u8 = 0x23;
const GET_READING: u8 = 0x2d;
/// How many records are read, and of each how many bytes at once where the BMC cannot send it whole.
const MOST: usize = 512;
const PIECE: u8 = 16;

/// A sensor, as its record has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    number: u8,
    name: String,
    unit: Option<&'static str>,
    formula: Option<Formula>,
}

/// How a raw reading becomes a number: `L((M·x + B·10^b)·10^r)`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Formula {
    signed: u8,
    linearisation: u8,
    m: f64,
    b: f64,
    r: f64,
}

/// Every sensor of the repository.
pub(super) async fn read(ipmi: &mut Ipmi) -> Result<Vec<Record>, BmcError> {
    let reservation = ipmi.ask(STORAGE, RESERVE, &[]).await?;
    let &[r0, r1, ..] = reservation.as_slice() else {
        return Err(BmcError::Garbled("a reservation without a number".to_owned()));
    };
    let mut records = Vec::new();
    let mut id = 0_u16;
    for _ in 0..MOST {
        let [low, high] = id.to_le_bytes();
        let from = |offset: u8, length: u8| [r0, r1, low, high, offset, length];
        let cut = || BmcError::Garbled("a sensor's record is cut short".to_owned());
        let head = match ipmi.ask(STORAGE, GET_RECORD, &from(0, 5)).await {
            Ok(head) => head,
            // There is none: an empty repository.
            Err(BmcError::Refused(_)) if id == 0 => break,
            Err(error) => return Err(error),
        };
        let (next, head) = head.split_first_chunk::<2>().ok_or_else(cut)?;
        let &[_, _, _, kind, length] = head.first_chunk::<5>().ok_or_else(cut)?;
        let mut body = Vec::new();
        // Full and compact sensors; all others are no sensors.
        while matches!(kind, 0x01 | 0x02) && body.len() < usize::from(length) {
            let done = u8::try_from(body.len()).unwrap_or(u8::MAX);
            let piece = PIECE.min(length - done);
            let answer = ipmi.ask(STORAGE, GET_RECORD, &from(done.saturating_add(5), piece)).await?;
            let bytes = answer.get(2..).filter(|bytes| !bytes.is_empty()).ok_or_else(cut)?;
            body.extend_from_slice(bytes);
        }
        records.extend(record(kind, &body));
        let next = u16::from_le_bytes(*next);
        if next == 0xffff || next == id {
            break;
        }
        id = next;
    }
    Ok(records)
}

/// The sensor of a record, without the record's header; none if it is another kind of record, or cut short.
pub(super) fn record(kind: u8, body: &[u8]) -> Option<Record> {
    let at = |place: usize| body.get(place).copied();
    let (number, sensor_type) = (at(2)?, at(7)?);
    let (unit, formula, name_at) = match kind {
        0x01 => (at(16)?, formula(body), 42),
        0x02 => (at(16)?, None, 26),
        _ => return None,
    };
    // Only those with thresholds measure something; the others have states.
    let measures = at(8)? == 0x01 && kind == 0x01;
    let length = usize::from(at(name_at)? & 0x1f);
    let bytes = body.get(name_at + 1..)?;
    let text: String = bytes
        .iter()
        .take(length)
        .map(|b| char::from(*b))
        .filter(|c| c.is_ascii_graphic() || *c == ' ')
        .collect();
    let name = if text.trim().is_empty() {
        format!("{} {number:#04x}", subject(sensor_type))
    } else {
        text.trim().to_owned()
    };
    Some(Record {
        number,
        name,
        unit: unit_of(unit).filter(|_| measures),
        formula: formula.filter(|_| measures),
    })
}

fn formula(body: &[u8]) -> Option<Formula> {
    let at = |place: usize| body.get(place).copied();
    let ten = |low: u8, high: u8| signed(u16::from(low) | (u16::from(high & 0xc0) << 2), 10);
    let exponents = at(24)?;
    let (r, b) = (signed(u16::from(exponents >> 4), 4), signed(u16::from(exponents & 0x0f), 4));
    Some(Formula {
        signed: at(15)? >> 6,
        linearisation: at(18)? & 0x7f,
        m: f64::from(ten(at(19)?, at(20)?)),
        b: f64::from(ten(at(21)?, at(22)?)) * 10_f64.powi(i32::from(b)),
        r: 10_f64.powi(i32::from(r)),
    })
}

/// A two's complement number of so many bits.
fn signed(raw: u16, bits: u32) -> i16 {
    let shift = 16 - bits;
    i16::from_le_bytes((raw << shift).to_le_bytes()) >> shift
}

impl Formula {
    fn value(&self, raw: u8) -> Option<f64> {
        let x = match self.signed {
            0 => f64::from(raw),
            1 => {
                // One's complement.
                let n = i16::from(i8::from_le_bytes([raw]));
                f64::from(if n < 0 { n + 1 } else { n })
            }
            2 => f64::from(i8::from_le_bytes([raw])),
            _ => return None,
        };
        let y = (self.m * x + self.b) * self.r;
        let y = match self.linearisation {
            0 => y,
            1 => y.ln(),
            2 => y.log10(),
            3 => y.log2(),
            4 => y.exp(),
            5 => 10_f64.powf(y),
            6 => y.exp2(),
            7 => y.recip(),
            8 => y * y,
            9 => y * y * y,
            10 => y.sqrt(),
            11 => y.cbrt(),
            _ => return None,
        };
        y.is_finite().then(|| (y * 1000.0).round() / 1000.0)
    }
}

/// Units as Redfish has them (table 43-15).
fn unit_of(kind: u8) -> Option<&'static str> {
    Some(match kind {
        1 => "Cel",
        2 => "[degF]",
        3 => "K",
        4 => "V",
        5 => "A",
        6 => "W",
        18 => "RPM",
        19 => "Hz",
        _ => return None,
    })
}

/// What a sensor says now.
pub(super) async fn sensor(ipmi: &mut Ipmi, record: &Record) -> Result<Sensor, BmcError> {
    let reading = match ipmi.ask(SENSOR, GET_READING, &[record.number]).await {
        Ok(reading) => reading,
        // It is not there at the moment: of a power supply that was pulled, or while the machine is off.
        Err(BmcError::Refused(_) | BmcError::Unsupported(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(judged(record, &reading))
}

/// A reading in words and numbers.
pub(super) fn judged(record: &Record, reading: &[u8]) -> Sensor {
    let (raw, flags, states) = (reading.first(), reading.get(1).copied().unwrap_or(0x20), reading.get(2));
    // Scanning is off, or there is no reading now.
    let there = flags & 0x20 == 0 && flags & 0x40 != 0;
    let raw = raw.copied().filter(|_| there);
    let health = match (record.formula, states.copied().filter(|_| there)) {
        (Some(_), Some(states)) if states & 0b11_0110 != 0 => "critical",
        (Some(_), Some(states)) if states & 0b00_1001 != 0 => "warning",
        (Some(_), Some(_)) => "ok",
        _ => "unknown",
    };
    Sensor {
        name: record.name.clone(),
        value: raw.and_then(|raw| record.formula.and_then(|formula| formula.value(raw))),
        unit: record.unit.map(str::to_owned),
        health: health.to_owned(),
    }
}
