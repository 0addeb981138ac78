//! Whether one large number is the product of two others: the modulus of an RSA key and its primes.

/// Numbers of more bytes are not multiplied: 16,384 bits.
const MOST_BYTES: usize = 2048;

/// Whether `product` = `a` · `b`, big-endian numbers; none where they are too large to try.
pub fn is_product(product: &[u8], a: &[u8], b: &[u8]) -> Option<bool> {
    let small = |number: &[u8]| number.len() <= MOST_BYTES;
    (small(product) && small(a) && small(b)).then(|| multiply(&limbs(a), &limbs(b)) == limbs(product))
}

/// `a` · `b`, big-endian numbers.
pub fn product(a: &[u8], b: &[u8]) -> Vec<u8> {
    multiply(&limbs(a), &limbs(b)).iter().rev().flat_map(|limb| limb.to_be_bytes()).collect()
}

fn multiply(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut result = vec![0u32; a.len() + b.len()];
    for (at, x) in a.iter().enumerate() {
        let mut carry = 0u64;
        for (sum, y) in result[at..].iter_mut().zip(b.iter().chain(std::iter::repeat(&0))) {
            // At most (2³² - 1)² + 2 (2³² - 1), which is 2⁶⁴ - 1.
            carry += u64::from(*sum) + u64::from(*x) * u64::from(*y);
            *sum = carry as u32;
            carry >>= 32;
        }
    }
    while result.last() == Some(&0) {
        result.pop();
    }
    result
}

/// Little-endian limbs of 32 bits, without leading zeros.
fn limbs(number: &[u8]) -> Vec<u32> {
    let first = number.iter().position(|b| *b != 0).unwrap_or(number.len());
    let limb = |bytes: &[u8]| bytes.iter().fold(0u32, |limb, byte| limb << 8 | u32::from(*byte));
    number[first..].rchunks(4).map(limb).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products() {
        let n = |number: u128| number.to_be_bytes();
        for (a, b) in
            [(0, 5), (1, 1), (0xffff_ffff, 0xffff_ffff), (u64::MAX.into(), u64::MAX.into()), (0x1_0000_0000, 3), (u64::MAX.into(), 2)]
        {
            assert_eq!(is_product(&n(a * b), &n(a), &n(b)), Some(true), "{a} {b}");
            assert_eq!(is_product(&n(a * b + 1), &n(a), &n(b)), Some(false));
        }
        // (2^512 - 1)² = 2^1024 - 2^513 + 1
        let mut square = [[0xff; 63], [0; 63]].concat();
        square.splice(63..63, [0xfe]);
        square.push(1);
        assert_eq!(is_product(&square, &[0xff; 64], &[0xff; 64]), Some(true));
        assert_eq!(is_product(&[1; 3000], &[1; 30], &[1; 30]), None);
        assert_eq!(is_product(&[], &[], &[]), Some(true));
        assert_eq!(product(&[2, 0], &[0, 0x80]), [0, 1, 0, 0]);
    }
}
