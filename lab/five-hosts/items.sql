-- PostgreSQL: 3,000 items with 40 tags. What is there already stays.
\set ON_ERROR_STOP on
set client_min_messages = warning;
create table if not exists items as
  select g as id, 'item ' || g as name, 100 + g % 9000 as price, 't' || g % 40 as tag, repeat('worth its price. ', 6) as words, 0 as sold
  from generate_series(0, 2999) g;
create unique index if not exists items_id on items(id);
create index if not exists items_tag on items(tag);
analyze;
