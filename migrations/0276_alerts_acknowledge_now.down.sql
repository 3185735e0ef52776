drop trigger if exists alerts_acknowledge_now on alerts;
