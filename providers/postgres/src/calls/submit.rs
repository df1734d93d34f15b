//! What clients ask. Its size is looked at before anything is sent.

use super::answer::{effects, first, store_now};
use super::{id, kind, message, stops};
use crate::error::{Result, StoreError};
use crate::shell::Shell;
use crate::text::escape;
use duroxide_core::{ArrivalBody, Channel, Limits};
use duroxide_provider::{ProviderError, Submission, Submit, Submitted};
use sqlx::Row;

const OPERATION: &str = "submit";

/// See [`Provider::submit`](duroxide_provider::Provider::submit).
pub(crate) async fn submit(shell: &Shell, request: Submit) -> Result<Submitted, ProviderError> {
    let asked = Asked::of(&shell.limits, &request).map_err(|error| error.named(OPERATION))?;
    let (ns, target) = (escape(&request.key.namespace.0), escape(request.key.id.as_str()));
    let answer = shell.call(
        OPERATION,
        "SELECT * FROM {schema}.submit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        |query| {
            query
                .bind(id(request.request.0))
                .bind(ns.as_ref())
                .bind(target.as_ref())
                .bind(asked.kind)
                .bind(&asked.name)
                .bind(&asked.version)
                .bind(asked.channel)
                .bind(&asked.reason)
                .bind(&asked.body)
                .bind(&asked.stops)
        },
        |rows| {
            let row = first(&rows)?;
            let now = store_now(row)?;
            let answer = submitted(row.try_get("answer")?);
            Ok((answer, effects(row, &request.key.namespace.0, now)?, now))
        },
    );
    let (answer, effects, now) = answer.await?;
    shell.publish(&effects, now);
    Ok(answer)
}

fn submitted(answer: i32) -> Submitted {
    match answer {
        0 => Submitted::Created,
        1 => Submitted::AlreadyExists,
        2 => Submitted::Accepted,
        3 => Submitted::Ended,
        _ => Submitted::NotFound,
    }
}

/// A request, checked and ready to be bound.
struct Asked {
    kind: i32,
    name: Option<String>,
    version: Option<String>,
    channel: Option<i32>,
    /// Of a termination, in JSON: what is quarantined is ended by it without being decoded.
    reason: Option<String>,
    body: Vec<u8>,
    stops: Vec<Vec<u8>>,
}

impl Asked {
    fn of(limits: &Limits, request: &Submit) -> Result<Self> {
        if let Some(message) = request.broken_limit(limits) {
            return Err(StoreError::Invalid(message));
        }
        let (mut version, mut channel, mut reason) = (None, None, None);
        let mut name = None;
        let body = match &request.what {
            Submission::Start { name: asked, version: of, input, headers } => {
                name = Some(escape(asked).into_owned());
                version = of.as_deref().map(|version| escape(version).into_owned());
                ArrivalBody::Start {
                    name: asked.clone(),
                    version: of.clone(),
                    input: input.clone(),
                    parent: None,
                    headers: headers.clone(),
                }
            }
            Submission::Mail { mailbox, data } => {
                name = Some(escape(&mailbox.name).into_owned());
                channel = Some(match mailbox.channel {
                    Channel::Event => 0,
                    Channel::Queue => 1,
                });
                let (channel, name) = (mailbox.channel, mailbox.name.clone());
                ArrivalBody::Mail { channel, name, data: data.clone() }
            }
            Submission::Cancel { reason } => {
                ArrivalBody::Cancel { reason: reason.clone(), from_parent: false }
            }
            Submission::Terminate { reason: why } => {
                reason = Some(serde_json::Value::from(why.as_str()).to_string());
                ArrivalBody::Terminate { reason: why.clone() }
            }
        };
        let (kind, body) = (kind(&body), message(&body)?);
        Ok(Self { kind, name, version, channel, reason, body, stops: stops()? })
    }
}
