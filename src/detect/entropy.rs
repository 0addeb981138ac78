//! Shannon entropy of a value.

/// Bits per byte: 0 for one repeated byte, at most 8, at most log2 of the length.
pub fn shannon(value: &[u8]) -> f32 {
    let mut counts = [0u32; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    let total = value.len() as f32;
    let share = |count: u32| count as f32 / total;
    -counts.iter().filter(|c| **c > 0).map(|c| share(*c) * share(*c).log2()).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert!(shannon(b"aaaaaaaa").abs() < 1e-6);
        assert!((shannon(b"abcdefgh") - 3.0).abs() < 1e-6);
        assert!((shannon(b"aabb") - 1.0).abs() < 1e-6);
    }
}
