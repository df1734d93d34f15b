//! The bytes of one file: what the operating system's cache has of them, and what of that
//! is on the platter. Not here: names (`files`), locks (`locks`), who may ask (`process`).
//!
//! A sector that was written since the last sync keeps what it was: a power cut draws for
//! each such sector whether it comes back old, new, as in between, or as garbage.

use crate::counts::Counts;
use duroxide_sim_dice::Dice;

/// The unit that a disk writes.
pub(crate) const SECTOR: usize = 512;
/// Sectors of a page of the operating system's cache.
const PAGE: usize = 8;
/// States between old and new that are kept of a sector.
const BETWEEN: usize = 3;

type Sector = [u8; SECTOR];

/// How the sectors of one power cut tend to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// The disk had written nothing of its own accord.
    AllOld,
    /// It had written everything.
    AllNew,
    /// Some of it.
    Mixed,
    /// Some of it, and was at it.
    Torn,
}

impl Mood {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        match dice.below(10) {
            0 | 1 => Self::AllOld,
            2 => Self::AllNew,
            3..=5 => Self::Mixed,
            _ => Self::Torn,
        }
    }
}

/// A sector with something that is not on the platter.
#[derive(Debug)]
struct Unsynced {
    number: u32,
    /// What is on the platter.
    old: Sector,
    /// What it was between then and now, some of it.
    between: Vec<Sector>,
    rewritten: usize,
    /// The bytes written: a disk that is safe against power loss during overwrites damages
    /// no others.
    written: [u64; SECTOR / 64],
    /// A sync failed: the cache takes it for clean, and no later sync writes it.
    forgotten: bool,
}

impl Unsynced {
    /// It is written once more: what it is until then may come back.
    fn was(&mut self, now: &Sector) {
        if self.between.len() < BETWEEN {
            self.between.push(*now);
        } else {
            self.between[self.rewritten % BETWEEN] = *now;
        }
        self.rewritten += 1;
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Content {
    cached: Vec<u8>,
    /// The length on the platter.
    durable_len: usize,
    /// The shortest that the file was since then.
    shortest: usize,
    /// For each sector its place in `unsynced`, plus one; zero if it is clean.
    places: Vec<u32>,
    unsynced: Vec<Unsynced>,
    forgotten: usize,
}

impl Content {
    pub(crate) fn len(&self) -> usize {
        self.cached.len()
    }

    /// All bytes, as the cache has them.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.cached
    }

    /// Fill the buffer from an offset on; beyond the end with zeros. Gives how much was there.
    pub(crate) fn read(&self, offset: usize, buffer: &mut [u8]) -> usize {
        let from = self.cached.get(offset..).unwrap_or_default();
        let there = from.len().min(buffer.len());
        buffer[..there].copy_from_slice(&from[..there]);
        buffer[there..].fill(0);
        there
    }

    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        self.touch(offset, end);
        if self.cached.len() < end {
            self.cached.resize(end, 0);
        }
        self.cached[offset..end].copy_from_slice(bytes);
    }

    /// Cut the file off, or fill it up with zeros.
    pub(crate) fn truncate(&mut self, len: usize) {
        if len < self.cached.len() {
            self.touch(len, self.cached.len());
            self.shortest = self.shortest.min(len);
        }
        self.cached.resize(len, 0);
    }

    /// Bring everything to the platter that the cache knows to be missing there.
    pub(crate) fn sync(&mut self) {
        for sector in &self.unsynced {
            self.places[sector.number as usize] = 0;
        }
        if self.forgotten == 0 {
            self.unsynced.clear();
        } else {
            self.unsynced.retain(|sector| sector.forgotten);
            for (place, sector) in self.unsynced.iter().enumerate() {
                self.places[sector.number as usize] = place as u32 + 1;
            }
        }
        self.durable_len = self.cached.len();
        self.shortest = self.durable_len;
    }

    /// A sync failed: the cache holds its pages for clean, and nobody knows what was written.
    pub(crate) fn fail_sync(&mut self) {
        for sector in &mut self.unsynced {
            sector.forgotten = true;
        }
        self.forgotten = self.unsynced.len();
    }

    /// The power is gone: what is on the platter becomes what there is.
    pub(crate) fn cut(&mut self, mood: Mood, dice: &mut Dice, counts: &mut Counts) {
        let truncated = self.shortest < self.durable_len;
        let untruncated = truncated && !Self::is_new(mood, dice);
        if truncated || self.durable_len != self.cached.len() {
            counts.sizes_unsynced += 1;
        }
        let len = if untruncated { self.durable_len } else { self.drawn_len(mood, dice) };
        if len != self.cached.len() {
            counts.sizes_lost += 1;
        }
        self.cached.resize(self.cached.len().max(len), 0);
        for sector in std::mem::take(&mut self.unsynced) {
            self.places[sector.number as usize] = 0;
            let start = sector.number as usize * SECTOR;
            let beyond = start + SECTOR > self.shortest && truncated;
            let drawn = if beyond && untruncated {
                counts.sectors_old += 1;
                sector.old
            } else {
                self.drawn_sector(&sector, beyond, mood, dice, counts)
            };
            // What lies beyond the end is not there.
            let end = self.cached.len().min(start + SECTOR);
            if start < end {
                self.cached[start..end].copy_from_slice(&drawn[..end - start]);
            }
        }
        self.cached.truncate(len);
        self.durable_len = len;
        self.shortest = len;
        self.forgotten = 0;
    }

    /// Flip a bit, as a disk that rots does.
    pub(crate) fn flip(&mut self, offset: usize, bit: u32) {
        if let Some(byte) = self.cached.get_mut(offset) {
            *byte ^= 1 << (bit % 8);
        }
    }

    /// How many sectors wait for a sync.
    pub(crate) fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// Whether this byte waits for no sync.
    pub(crate) fn is_durable(&self, offset: usize) -> bool {
        self.places.get(offset / SECTOR).is_none_or(|place| *place == 0)
    }

    /// These bytes are about to change: keep what their sectors are.
    fn touch(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        let (first, last) = (from / SECTOR, (to - 1) / SECTOR);
        if self.places.len() <= last {
            self.places.resize(last + 1, 0);
        }
        if self.forgotten > 0 {
            self.remember(first, last);
        }
        for number in first..=last {
            let start = number * SECTOR;
            let now = self.sector(start);
            let (from, to) = (from.max(start) - start, to.min(start + SECTOR) - start);
            let place = self.places[number] as usize;
            if place > 0 {
                let sector = &mut self.unsynced[place - 1];
                sector.was(&now);
                mark(&mut sector.written, from, to);
            } else {
                let mut written = [0; SECTOR / 64];
                mark(&mut written, from, to);
                self.unsynced.push(Unsynced {
                    number: number as u32,
                    old: now,
                    between: Vec::new(),
                    rewritten: 0,
                    written,
                    forgotten: false,
                });
                self.places[number] = self.unsynced.len() as u32;
            }
        }
    }

    /// A write makes the whole page dirty again: the next sync writes it.
    fn remember(&mut self, first: usize, last: usize) {
        let pages = first / PAGE * PAGE..(last / PAGE + 1) * PAGE;
        for number in pages {
            let place = self.places.get(number).copied().unwrap_or(0);
            if place > 0 && std::mem::take(&mut self.unsynced[place as usize - 1].forgotten) {
                self.forgotten -= 1;
            }
        }
    }

    fn sector(&self, start: usize) -> Sector {
        if let Some(whole) = self.cached.get(start..).and_then(<[u8]>::first_chunk) {
            return *whole;
        }
        let mut sector = [0; SECTOR];
        self.read(start, &mut sector);
        sector
    }

    fn is_new(mood: Mood, dice: &mut Dice) -> bool {
        match mood {
            Mood::AllOld => false,
            Mood::AllNew => true,
            Mood::Mixed | Mood::Torn => dice.coin(),
        }
    }

    /// The length of a file whose truncation, if there was one, has happened.
    fn drawn_len(&self, mood: Mood, dice: &mut Dice) -> usize {
        let (old, new) = (self.shortest.min(self.durable_len), self.cached.len());
        match (mood, new - old) {
            (_, 0) | (Mood::AllNew, _) => new,
            (Mood::AllOld, _) => old,
            (Mood::Mixed | Mood::Torn, grown) => match dice.below(3) {
                0 => old,
                1 => new,
                _ => old + dice.below(grown as u64) as usize / SECTOR * SECTOR,
            },
        }
    }

    fn drawn_sector(
        &self,
        sector: &Unsynced,
        beyond: bool,
        mood: Mood,
        dice: &mut Dice,
        counts: &mut Counts,
    ) -> Sector {
        let fate = match mood {
            Mood::AllOld => 0,
            Mood::AllNew => 1,
            Mood::Mixed => dice.below(3),
            Mood::Torn => dice.below(4),
        };
        let mut old = sector.old;
        if beyond {
            // The blocks that a truncation let go of are not given back with their bytes.
            let kept = self.shortest.saturating_sub(sector.number as usize * SECTOR);
            old[kept..].fill(0);
        }
        match fate {
            2 if !sector.between.is_empty() => {
                counts.sectors_between += 1;
                sector.between[dice.below(sector.between.len() as u64) as usize]
            }
            0 | 2 => {
                counts.sectors_old += 1;
                old
            }
            3 => {
                counts.sectors_garbage += 1;
                let mut garbage = [0; SECTOR];
                dice.fill(&mut garbage);
                for (at, byte) in garbage.iter_mut().enumerate() {
                    if sector.written[at / 64] & (1 << (at % 64)) == 0 {
                        *byte = old[at];
                    }
                }
                garbage
            }
            _ => {
                counts.sectors_new += 1;
                self.sector(sector.number as usize * SECTOR)
            }
        }
    }
}

/// Set the bits from one number to another.
fn mark(bits: &mut [u64; SECTOR / 64], from: usize, to: usize) {
    for (at, word) in bits.iter_mut().enumerate() {
        let (from, to) = (from.max(at * 64), to.min(at * 64 + 64));
        if from < to {
            let ones = u64::MAX >> (64 - (to - from));
            *word |= ones << (from % 64);
        }
    }
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
