//! Chance, injected: jitter for back-off and refresh points.
//!
//! Without jitter a fleet that started together would mint together for ever. Simulations give a fixed or scripted
//! source, so that a run can be repeated exactly.

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};

/// A source of numbers between 0 (included) and 1 (excluded).
pub trait Dice: fmt::Debug + Send + Sync + 'static {
    /// The next number.
    fn unit(&self) -> f64;
}

/// The system's randomness, so that two processes forked from one parent do not draw the same numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDice;

impl Dice for SystemDice {
    fn unit(&self) -> f64 {
        let mut bytes = [0_u8; 4];
        // No randomness at all is no reason to fail a login: the middle is as good as any.
        if SystemRandom::new().fill(&mut bytes).is_err() {
            return 0.5;
        }
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }
}

/// Always the same number.
#[derive(Clone, Copy, Debug)]
pub struct FixedDice(pub f64);

impl Dice for FixedDice {
    fn unit(&self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Dice, SystemDice};

    #[test]
    fn throws_are_within_bounds_and_differ() {
        let throws: Vec<f64> = (0..64).map(|_| SystemDice.unit()).collect();
        assert!(throws.iter().all(|unit| (0.0..1.0).contains(unit)));
        assert!(throws.windows(2).any(|pair| pair[0] < pair[1]));
    }
}
