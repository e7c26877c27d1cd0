-- MariaDB: 100,000 reviews of 2,000 products. What is there already stays.
create database if not exists shop;
create user if not exists reviews@'127.0.0.1' identified by 'reviews';
create user if not exists reviews@localhost identified by 'reviews';
grant all on shop.* to reviews@'127.0.0.1';
grant all on shop.* to reviews@localhost;
create table if not exists shop.reviews(id int auto_increment primary key, product int, stars int, words varchar(80), key product(product))
  as select seq + 1 as id, seq % 2000 as product, 1 + seq % 5 as stars, 'just what I was looking for' as words from shop.seq_0_to_99999;
