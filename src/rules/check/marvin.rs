//! Marvin32, the keyed hash that Microsoft's services put into their keys (github.com/microsoft/security-utilities, `Marvin.cs`).

/// The hash of `data`; its 64 bits are folded into 32.
pub fn marvin32(data: &[u8], seed: u64) -> u32 {
    let (mut low, mut high) = (seed as u32, (seed >> 32) as u32);
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        low = low.wrapping_add(little_endian(word));
        block(&mut low, &mut high);
    }
    let rest = words.remainder();
    low = low.wrapping_add(little_endian(rest) | 0x80 << (8 * (rest.len() & 3)));
    block(&mut low, &mut high);
    block(&mut low, &mut high);
    low ^ high
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

fn block(low: &mut u32, high: &mut u32) {
    *high ^= *low;
    *low = low.rotate_left(20).wrapping_add(*high);
    *high = high.rotate_left(9) ^ *low;
    *low = low.rotate_left(27).wrapping_add(*high);
    *high = high.rotate_left(19);
}

#[cfg(test)]
mod tests {
    #[test]
    fn known_vector() {
        assert_eq!(super::marvin32(b"abc", 0xd53c_d9ce_cd08_93b7), 0x6be0_2a86);
    }
}
