-- Run by psql after bootstrap.sql where the roles connect with passwords (docker-compose.yml).
\getenv owner_password PUNTUAL_OWNER_PASSWORD
\getenv api_password PUNTUAL_API_PASSWORD
\getenv worker_password PUNTUAL_WORKER_PASSWORD
\getenv temporal_password TEMPORAL_PASSWORD
alter role puntual_owner password :'owner_password';
alter role puntual_api password :'api_password';
alter role puntual_worker password :'worker_password';
create database puntual owner puntual_owner;
create role temporal login createdb password :'temporal_password';
