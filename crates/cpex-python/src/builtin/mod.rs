mod copies;
mod texts;
