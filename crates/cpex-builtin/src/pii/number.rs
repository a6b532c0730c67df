//! Numbers written in groups of digits.

const MOST_GROUPS: usize = 8;

/// Groups of digits with one space, hyphen or dot between two of them: `4111 1111 1111 1111`.
pub(super) struct Groups {
    groups: [Group; MOST_GROUPS],
    len: usize,
}

#[derive(Clone, Copy, Default)]
struct Group {
    digits: usize,
    end: usize,
    /// What stands before it; 0 before the first.
    separator: u8,
}

impl Groups {
    /// Reads the groups that begin with the digit at `start`.
    pub(super) fn read(text: &str, start: usize) -> Self {
        let bytes = text.as_bytes();
        let mut read = Self { groups: [Group::default(); MOST_GROUPS], len: 0 };
        let (mut at, mut separator) = (start, 0);
        while read.len < MOST_GROUPS {
            let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                break;
            }
            let end = at + digits;
            read.groups[read.len] = Group { digits, end, separator };
            read.len += 1;
            match bytes.get(end) {
                Some(b' ' | b'-' | b'.') => (at, separator) = (end + 1, bytes[end]),
                _ => break,
            }
        }
        read
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// How many digits there are in all groups.
    pub(super) fn digits(&self) -> usize {
        self.groups[..self.len].iter().map(|group| group.digits).sum()
    }

    /// The end of the first groups if they have this many digits each and the same separator, which is returned.
    pub(super) fn shaped(&self, shape: &[usize]) -> Option<(usize, u8)> {
        let groups = self.groups[..self.len].get(..shape.len())?;
        let separator = groups.get(1).map_or(0, |group| group.separator);
        let fits = groups.iter().zip(shape).all(|(group, digits)| group.digits == *digits)
            && groups.iter().skip(1).all(|group| group.separator == separator);
        fits.then(|| (groups[groups.len() - 1].end, separator))
    }

    /// The first group, if it has so many digits.
    pub(super) fn single(&self, digits: std::ops::RangeInclusive<usize>) -> Option<usize> {
        digits.contains(&self.groups[0].digits).then_some(self.groups[0].end)
    }

    pub(super) fn start(&self) -> usize {
        self.groups[0].end - self.groups[0].digits
    }
}
