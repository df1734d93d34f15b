//! The contract, checked on a real PostgreSQL: each check on a schema of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use async_trait::async_trait;
use common::Place;
use duroxide_conformance::{Damage, Factory};
use duroxide_provider::{InstanceKey, Store};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The place of the store that was opened last.
#[derive(Default)]
struct OnPostgres(Mutex<Option<Arc<Place>>>);

impl OnPostgres {
    fn place(&self) -> Arc<Place> {
        self.0.lock().unwrap().clone().unwrap()
    }

    async fn spoil(&self, statement: &str, key: &InstanceKey) {
        let place = self.place();
        let statement = format!(
            r#"{statement} WHERE incarnation =
                (SELECT incarnation FROM "{{schema}}".instances WHERE id = $1)"#
        );
        let mut sql = place.sql().await;
        sqlx::query(place.text(&statement)).bind(key.id.as_str()).execute(&mut sql).await.unwrap();
    }
}

#[async_trait]
impl Factory for OnPostgres {
    async fn open(&self) -> Arc<dyn Store> {
        *self.0.lock().unwrap() = Some(Arc::new(Place::new()));
        Arc::new(self.place().create().await)
    }
    async fn advance(&self, by: Duration) {
        self.place().advance(by).await;
    }
    async fn reopen(&self) -> Option<Arc<dyn Store>> {
        Some(Arc::new(self.place().handle().await))
    }
    async fn another(&self) -> Option<Arc<dyn Store>> {
        Some(Arc::new(self.place().handle().await))
    }
    async fn set_wall_clock_back(&self, by: Duration) -> bool {
        self.place().set_wall_clock_back(by).await;
        true
    }
    async fn damage(&self, what: Damage) -> bool {
        let (table, column, key) = match &what {
            Damage::History(key) => ("events", "bytes", key),
            Damage::Mail(key) => ("inbox", "body", key),
            Damage::Activities(key) => ("activities", "headers", key),
        };
        self.spoil(&format!(r#"UPDATE "{{schema}}".{table} SET {column} = '\xff'"#), key).await;
        true
    }
}

duroxide_conformance::conformance_suite!(OnPostgres::default());
