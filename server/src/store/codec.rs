//! Values between rows and types: what is text or JSON in a column is typed everywhere else.
use super::StoreError;
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Display, str::FromStr};

/// A column's text as its type.
pub(super) fn parsed<T: FromStr>(what: &'static str, text: &str) -> Result<T, StoreError>
where
    T::Err: Display,
{
    text.parse().map_err(|e: T::Err| StoreError::unreadable(what)(e.to_string()))
}

/// A column's JSON as its type.
pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::unreadable(what)(e.to_string()))
}

/// A value as a column's JSON.
pub(super) fn to_json<T: Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::unreadable(what)(e.to_string()))
}
