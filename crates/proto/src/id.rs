//! The order of request ids, which wrap around.

/// Says whether `a` was given out before `b`, where no two that are compared lie half of all ids apart.
#[inline]
pub(crate) fn is_before(a: u32, b: u32) -> bool {
    a != b && b.wrapping_sub(a) < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_wrap_around() {
        assert!(is_before(u32::MAX, 1));
        assert!(!is_before(1, u32::MAX));
        assert!(!is_before(5, 5));
    }
}
