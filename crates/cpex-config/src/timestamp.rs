//! YAML 1.1 timestamps.

/// A day of the Gregorian calendar, year 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Date {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// A day and a time of day, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// The day.
    pub date: Date,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999,999.
    pub microsecond: u32,
    /// The zone, if one is written.
    pub offset: Option<Offset>,
}

/// A zone as a distance from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offset {
    /// Minutes east of UTC, less than a day either way.
    pub minutes: i32,
}

pub(crate) enum Timestamp {
    Date(Date),
    DateTime(DateTime),
}

/// Does a plain scalar read as a timestamp? A short month or day needs a time after it.
pub(crate) fn is_timestamp(text: &str) -> bool {
    scan(text).is_some_and(|fields| fields.has_time || text.len() == "2001-12-14".len())
}

/// Reads a timestamp, or `None` if the text is none or names a day or time that does not exist.
pub(crate) fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let fields = scan(text)?;
    let date = fields.date;
    if date.year == 0 || date.day == 0 || date.day > days_in(date.year, date.month)? {
        return None;
    }
    if !fields.has_time {
        return Some(Timestamp::Date(date));
    }
    if fields.hour > 23 || fields.minute > 59 || fields.second > 59 {
        return None;
    }
    if fields.offset.is_some_and(|offset| offset.minutes.abs() >= 24 * 60) {
        return None;
    }
    Some(Timestamp::DateTime(DateTime {
        date,
        hour: fields.hour,
        minute: fields.minute,
        second: fields.second,
        microsecond: fields.microsecond,
        offset: fields.offset,
    }))
}

struct Fields {
    date: Date,
    has_time: bool,
    hour: u8,
    minute: u8,
    second: u8,
    microsecond: u32,
    offset: Option<Offset>,
}

fn scan(text: &str) -> Option<Fields> {
    let mut rest = Cursor(text);
    let year = rest.digits(4, 4)?;
    rest.take('-')?;
    let month = rest.digits(1, 2)? as u8;
    rest.take('-')?;
    let day = rest.digits(1, 2)? as u8;
    let date = Date { year, month, day };
    let mut fields =
        Fields { date, has_time: false, hour: 0, minute: 0, second: 0, microsecond: 0, offset: None };
    if rest.0.is_empty() {
        return Some(fields);
    }
    if rest.take('T').or_else(|| rest.take('t')).is_none() && rest.skip_blanks() == 0 {
        return None;
    }
    fields.has_time = true;
    fields.hour = rest.digits(1, 2)? as u8;
    rest.take(':')?;
    fields.minute = rest.digits(2, 2)? as u8;
    rest.take(':')?;
    fields.second = rest.digits(2, 2)? as u8;
    if rest.take('.').is_some() {
        fields.microsecond = rest.microseconds();
    }
    if rest.0.is_empty() {
        return Some(fields);
    }
    rest.skip_blanks();
    fields.offset = Some(rest.offset()?);
    rest.0.is_empty().then_some(fields)
}

fn days_in(year: u16, month: u8) -> Option<u8> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    fn take(&mut self, wanted: char) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted)?;
        Some(())
    }

    fn digits(&mut self, least: usize, most: usize) -> Option<u16> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        digits.parse().ok()
    }

    fn skip_blanks(&mut self) -> usize {
        let rest = self.0.trim_start_matches([' ', '\t']);
        let skipped = self.0.len() - rest.len();
        self.0 = rest;
        skipped
    }

    /// Any number of digits, of which six count.
    fn microseconds(&mut self) -> u32 {
        let rest = self.0.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        format!("{:0<6.6}", digits).parse().unwrap_or(0)
    }

    fn offset(&mut self) -> Option<Offset> {
        if self.take('Z').is_some() {
            return Some(Offset { minutes: 0 });
        }
        let sign = if self.take('-').is_some() { -1 } else { self.take('+').map(|()| 1)? };
        let hours = i32::from(self.digits(1, 2)?);
        let minutes = if self.take(':').is_some() { i32::from(self.digits(2, 2)?) } else { 0 };
        Some(Offset { minutes: sign * (hours * 60 + minutes) })
    }
}
