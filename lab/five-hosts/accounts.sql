-- MariaDB: 100,000 purchases of 5,000 accounts. What is there already stays.
create database if not exists shop;
create user if not exists account@'%' identified by 'account';
grant all on shop.* to account@'%';
create table if not exists shop.purchases(id int auto_increment primary key, account int, amount int, key account(account))
  as select seq + 1 as id, seq % 5000 as account, 1 + seq % 50 as amount from shop.seq_0_to_99999;
