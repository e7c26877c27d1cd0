<?php // One account: what stands in it, and one purchase more. A connection to the database for each request.
$id = (int) basename($_SERVER['REQUEST_URI']);
try {
    $db = new PDO('mysql:host=mariadb.shop;dbname=shop', 'account', 'account', [PDO::ATTR_TIMEOUT => 5]);
    if ($_SERVER['REQUEST_METHOD'] === 'POST') $db->prepare('insert into purchases (account, amount) values (?, 3)')->execute([$id]);
    $of = $db->prepare('select count(*), sum(amount) from purchases where account = ?');
    $of->execute([$id]);
    echo json_encode($of->fetch(PDO::FETCH_NUM));
} catch (PDOException $error) {
    http_response_code(500);
    error_log($error->getMessage());
}
