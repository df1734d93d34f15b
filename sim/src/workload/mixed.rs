//! A little of everything: instances of several workloads in one registry, on nodes that
//! are upgraded as they go. Not here: any code of its own.

use super::parts::INSTANCES;
use super::{Chain, Family, Finished, Mailbox, Management, Orders, Wide, Workload};
use super::{chain, family, mailbox, management, order, wide};
use crate::dice::Dice;
use crate::plan::InstancePlan;
use duroxide_sdk::{Registry, RegistryError};
use std::time::Duration;

/// Instances of several workloads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mixed;

/// Whose: those that take about as long as each other.
const ALL: [&dyn Workload; 6] = [&Mailbox, &Chain, &Family, &Wide, &Management, &Orders];

impl Workload for Mixed {
    fn name(&self) -> &'static str {
        "mixed"
    }

    fn registry(&self, _: u32) -> Result<Registry, RegistryError> {
        let code = [
            mailbox::register,
            chain::register,
            family::register,
            wide::register,
            management::register,
            order::register,
        ];
        code.into_iter().fold(Registry::builder(), |builder, register| register(builder)).build()
    }

    fn builds(&self) -> u32 {
        2
    }

    fn instances(&self, dice: &mut Dice) -> Vec<InstancePlan> {
        let mut drawn: Vec<_> = ALL.iter().map(|workload| workload.instances(dice)).collect();
        (0..INSTANCES)
            .filter_map(|_| {
                let whose = dice.within(0..=ALL.len() as u64 - 1) as usize;
                let place = dice.within(0..=INSTANCES - 1) as usize % drawn[whose].len();
                (drawn[whose].len() > 1).then(|| drawn[whose].swap_remove(place))
            })
            .collect()
    }

    fn lasts(&self) -> Duration {
        ALL.iter().map(|workload| workload.lasts()).max().unwrap_or_default()
    }

    fn check(&self, ended: &Finished<'_>) -> Result<(), String> {
        let whose = ALL.iter().find(|workload| {
            ended.plan.id.strip_prefix(workload.name()).is_some_and(|rest| rest.starts_with('-'))
        });
        whose.map_or_else(
            || Err("it is of no workload".to_owned()),
            |workload| workload.check(ended),
        )
    }
}
