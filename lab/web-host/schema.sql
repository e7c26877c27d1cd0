-- PostgreSQL: 2,000 products in 50 categories, 100,000 orders, 600,000 lines. What is there already stays.
\set ON_ERROR_STOP on
set client_min_messages = warning;
create table if not exists stock as
  select g as product, g % 50 as category, 100000 as pieces from generate_series(0, 1999) g;
create table if not exists orders as
  select g as id, g % 5000 as customer, now() - g * interval '1 minute' as placed from generate_series(0, 99999) g;
create table if not exists lines as
  select g % 100000 as order_id, (g * 7919::bigint % 2000)::int as product, 1 + g % 3 as quantity, 100 + g % 9000 as cents,
    'wrapped, no message, deliver to the neighbour if nobody is in' as wish
  from generate_series(0, 599999) g;
create sequence if not exists orders_id_seq start 100000;
alter table orders alter id set default nextval('orders_id_seq');
create unique index if not exists stock_product on stock(product);
create index if not exists stock_category on stock(category);
create unique index if not exists orders_id on orders(id);
create index if not exists orders_customer on orders(customer);
create index if not exists lines_order on lines(order_id);
create index if not exists lines_product on lines(product);
do $$ begin
  if not exists (select from pg_roles where rolname = 'orders') then
    create role orders login; create role shop login;
    grant all on all tables in schema public to orders, shop;
    grant all on sequence orders_id_seq to orders;
  end if;
end $$;
analyze;
