//! What generated files are made of.

pub(super) use std::collections::BTreeMap;
pub(super) use std::time::Duration;

pub(super) use super::Object;
pub(super) use super::Postgres;
pub(super) use super::mask::Mask;
pub(super) use super::message::{message, open_enum};
pub(super) use super::method::{Answer, Body, Creates, Kind, Method, Parameter, Verb};
pub(super) use super::operation::Operation;
pub(super) use super::page::Pager;
pub(super) use super::request::Request;
pub(super) use super::wire::{self, Timestamp};
pub(super) use crate::secret::Secret;
